"""What the package uses without being documented is there, and nowhere else."""
import pydoc
import re
from pathlib import Path

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


@pytest.mark.parametrize('entry', compat.OPERATORS.values(), ids=lambda entry: entry.name)
def test_operators_are_those_of_torch(entry):
    assert getattr(compat, entry.name) is getattr(torch.ops.aten, entry.name)
    assert entry.reason and entry.seen


@pytest.mark.parametrize('entry', [
    compat.Private('mm', '(self, other) -> 1', ''),
    compat.Private('mm', '(self, mat2) -> 2', ''),
    compat.Private('no_such_operator', '(self) -> 1', ''),
], ids=str)
def test_an_operator_of_another_torch_is_refused(entry, monkeypatch):
    monkeypatch.setitem(compat.OPERATORS, entry.name, entry)
    with pytest.raises(ImportError, match=rf'aten::{entry.name} is .* was written for {re.escape(entry.signature)}'):
        compat._operator(entry.name)


def test_no_other_file_names_operators():
    package = Path(compat.__file__).parent
    files = sorted(package.rglob('*.py'))
    naming = [str(file.relative_to(package)) for file in files if re.search(r'\btorch\.(ops|_C)\b', file.read_text())]
    assert len(files) > 100 and naming == ['compat.py']
