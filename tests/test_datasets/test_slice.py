"""Parts of a dataset by a seed: disjoint, complete, and datasets like any other."""
import numpy as np
import pytest

from helpers import tiny_run as tiny
from helpers.cifar_files import write_cifar
from helpers.tiny_run import data  # noqa: F401
from imtnas_mm.datasets import DataError, Split, build_dataset, slice_indices
from imtnas_mm.engine.loops.task_data import TaskData


def test_parts_are_disjoint_and_complete():
    held, rest = slice_indices(1000, 100, 3), slice_indices(1000, 100, 3, rest=True)
    assert len(held) == 100 and len(rest) == 900
    assert sorted([*held, *rest]) == list(range(1000))
    assert np.array_equal(held, slice_indices(1000, 100, 3)) and not np.array_equal(held, slice_indices(1000, 100, 4))
    assert 20 < (held < 500).sum() < 80 and np.all(np.diff(held) > 0)  # from everywhere


@pytest.mark.parametrize('num', [0, 10, -1, 2.5])
def test_bad_numbers(num):
    with pytest.raises(ValueError, match=f'num={num}: must be a whole number from 1 to 9, the dataset has 10 examples'):
        slice_indices(10, num)


def test_bad_seed():
    with pytest.raises(ValueError, match='seed=-1'):
        slice_indices(10, 3, -1)


def sliced(dataset, **options):
    return dict(type='imtnas_mm.DatasetSlice', dataset=dataset, **options)


def images(dataset):
    return [dataset.get_data_info(i)['img'].tobytes() for i in range(len(dataset))]


def test_slices_of_cifar(tmp_path):
    """Also with other pipelines, as training and testing have them, and of a slice."""
    write_cifar(tmp_path)
    cifar = dict(type='imtnas_mm.CIFAR10', data_root=str(tmp_path), check_md5=False, split='train')
    train = dict(cifar, pipeline=[dict(type='RandomFlip', prob=1.), dict(type='PackInputs')])
    test = dict(cifar, pipeline=[dict(type='PackInputs')])
    whole = images(build_dataset(test, 'mmpretrain'))
    held = build_dataset(sliced(test, num=30), 'mmpretrain')
    rest = build_dataset(sliced(train, num=30, rest=True), 'mmpretrain')
    assert (len(held), len(rest)) == (30, 70) and len(set(whole)) == 100
    assert sorted(images(held) + images(rest)) == sorted(whole)
    assert held[0]['inputs'].shape == (3, 32, 32) and held.metainfo['classes'][0] == 'airplane'
    some = build_dataset(sliced(sliced(train, num=30, rest=True), num=10), 'mmpretrain')
    assert len(some) == 10 and set(images(some)) < set(images(rest))


def test_slices_of_scenes(data):  # noqa: F811
    loader = tiny.det_loader(data, 'train')
    held, rest = (build_dataset(sliced(loader['dataset'], num=3, rest=part), 'mmdet') for part in (False, True))
    names = [{one.get_data_info(i)['img_path'] for i in range(len(one))} for one in (held, rest)]
    assert [len(part) for part in names] == [3, 5] and not names[0] & names[1]
    assert held[0]['data_samples'].gt_instances.bboxes.shape == (2, 4)


def test_a_search_on_a_slice(data):  # noqa: F811
    """Neither its halves nor its examples for transfer have an image that was held out."""
    loader = tiny.cls_loader(data, 'train')
    held = build_dataset(sliced(loader['dataset'], num=6), 'mmpretrain')
    whole = dict(loader, dataset=sliced(loader['dataset'], num=6, rest=True))
    actual = TaskData('cls', 0, whole, 'mmpretrain', Split())
    out = {held.get_data_info(i)['img_path'] for i in range(6)}
    assert len(actual.train_indices) == len(actual.val_indices) == 9
    seen = set()
    for loader in (actual.train_loader(0, 0), actual.architecture_loader(0, 0, 'val'), actual.example_loader(0, 0, 4)):
        for batch, _ in zip(loader, range(9), strict=False):
            seen |= {sample.img_path for sample in batch['data_samples']}
    assert len(seen) == 18 and not seen & out


def test_what_cannot_be_sliced(data):  # noqa: F811
    dataset = tiny.cls_loader(data, 'train')['dataset']
    with pytest.raises(DataError, match='DatasetSlice of CustomDataset: num=24: .* from 1 to 23'):
        build_dataset(sliced(dataset, num=24), 'mmpretrain')
    with pytest.raises(DataError, match='DatasetSlice of RepeatDataset: '):
        build_dataset(sliced(dict(type='RepeatDataset', times=2, dataset=dataset), num=2), 'mmpretrain')
