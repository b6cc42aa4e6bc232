"""A dataset that is read by positions is the dataset itself to all else."""
import pickle

import numpy as np
import pytest
from mmengine.dataset import BaseDataset

from imtnas_mm.datasets import Position, SeededDataset


class Draw:
    """Draws from numpy's generator."""

    def __call__(self, data):
        return dict(index=data['sample_idx'], drawn=np.random.rand())


class Images(BaseDataset):
    METAINFO = dict(classes=('a', 'b'))

    def load_data_list(self):
        return [dict(img_path=f'photos/{i}.jpg') for i in range(20)]


def test_a_dataset_for_hooks_and_samplers():
    images = Images(pipeline=[Draw()], serialize_data=False)
    dataset = SeededDataset(images)
    assert len(dataset) == 20 and dataset.metainfo == dict(classes=('a', 'b'))
    assert dataset.get_data_info(3)['img_path'] == 'photos/3.jpg' and dataset[3]['index'] == 3
    dataset.pipeline = lambda data: 'switched'  # as hooks do in the last epochs
    assert images.pipeline is dataset.pipeline and dataset[0] == 'switched'
    dataset.pipeline = None
    assert len(pickle.loads(pickle.dumps(dataset))) == 20  # as workers that are spawned get it
    with pytest.raises(AttributeError, match='nothing'):
        dataset.nothing  # noqa: B018


@pytest.mark.parametrize('part', [None, [3, 5]])
def test_draws_depend_on_the_key_alone(part):
    dataset = SeededDataset(Images(pipeline=[Draw()], serialize_data=False), part)
    np.random.seed(0)
    expected = np.random.rand()
    np.random.seed(0)
    read = [dataset[Position(3, key)] for key in ((1, 2), (1, 3), (1, 2))]
    assert [item['index'] for item in read] == [3, 3, 3]
    assert read[0] == read[2] != read[1] and np.random.rand() == expected
    assert len(dataset) == (20 if part is None else 2)
