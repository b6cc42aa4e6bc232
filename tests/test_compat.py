"""What the package uses without being documented is there."""
import pydoc

import pytest
import torch
from mmengine.model import ImgDataPreprocessor
from mmpretrain.models import ClsDataPreprocessor

from imtnas_mm import compat

OF_INSTANCES = {
    '_channel_conversion': [ImgDataPreprocessor()],
    '_enable_normalize': [ImgDataPreprocessor(), ClsDataPreprocessor()],
}


@pytest.mark.parametrize('entry', compat.NAMES, ids=lambda entry: entry.name)
def test_names_of_the_libraries_exist(entry):
    owner, _, name = entry.name.rpartition('.')
    for place in OF_INSTANCES.get(name, [pydoc.locate(owner)]):
        assert hasattr(place, name), entry.name
    assert entry.reason and entry.seen


def test_a_version_counts_changes_in_place():
    tensor = torch.zeros(4)
    before = tensor._version
    tensor[1:][0] = 1
    assert tensor._version > before
