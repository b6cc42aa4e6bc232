import functools
import re

import numpy as np
import pytest

from helpers import tiny_run as tiny
from helpers.cifar_files import write_cifar
from imtnas_mm.datasets import DataError, Split
from imtnas_mm.engine.loops.task_data import TaskData


def task_data(loader, scope='mmpretrain', ratio=.5):
    return TaskData('cls', 0, loader, scope, Split(ratio))


def test_examples_need_a_transform_that_packs(data):
    loader = tiny.cls_loader(data, 'train')
    loader['dataset']['pipeline'] = [tiny.LOAD]
    with pytest.raises(ValueError, match=r'^train_dataloader.cls.dataset.pipeline has no Pack'):
        task_data(loader)


def test_examples_are_unchanged_images_of_the_training_half(data):
    loader = tiny.det_loader(data, 'train')
    loader['dataset']['pipeline'] = [tiny.LOAD, tiny.BOXES, dict(type='Resize', scale=(8, 8)),
                                     dict(type='PackDetInputs')]
    actual = task_data(loader, 'mmdet')
    batch = next(iter(actual.example_loader(seed=1, start=0, batch_size=3)))
    trained = [actual.dataset.get_data_info(int(i))['img_path'] for i in actual.train_indices]
    assert len(batch['inputs']) == 3
    for image, sample in zip(batch['inputs'], batch['data_samples'], strict=True):
        assert image.shape == (3, tiny.SIZE, tiny.SIZE) and sample.img_path in trained
    assert next(iter(actual.train_loader(seed=1, start=0)))['inputs'][0].shape == (3, 8, 8)


def test_several_datasets_as_one(data):
    """Each has a pipeline of its own; an example is as its own loads it."""
    def part(size, indices):
        dataset = tiny.det_loader(data, 'train')['dataset']
        return dict(dataset, indices=indices, pipeline=[tiny.LOAD, tiny.BOXES, dict(type='Resize', scale=(size, size)),
                                       dict(type='PackDetInputs')])

    dataset = dict(type='ConcatDataset', datasets=[part(8, range(4)), part(16, range(4, 8))], ignore_keys=[])
    actual = task_data(tiny.loader(dataset, 32), 'mmdet', ratio=.75)
    assert len(actual.dataset) == 8 and len(actual.train_indices) == 6
    sizes = {tuple(image.shape) for image in next(iter(actual.train_loader(seed=1, start=0)))['inputs']}
    assert sizes == {(3, 8, 8), (3, 16, 16)}
    examples = next(iter(actual.example_loader(seed=1, start=0, batch_size=32)))['inputs']
    assert {tuple(image.shape) for image in examples} == {(3, tiny.SIZE, tiny.SIZE)}


def test_datasets_that_would_mix_the_halves_are_refused(data):
    inner = tiny.cls_loader(data, 'train')['dataset']
    wrapped = dict(type='RepeatDataset', times=2, dataset=inner)
    for dataset, place in ((wrapped, ''), (dict(type='ConcatDataset', datasets=[inner, wrapped]), '.datasets[1]')):
        field = re.escape(f'train_dataloader.cls.dataset{place}.type')
        with pytest.raises(DataError, match=f"^{field}='RepeatDataset': a search splits the images in two parts"):
            task_data(tiny.loader(dataset, 4))


def test_a_dataset_that_is_listed_twice_is_refused(data):
    inner, other = tiny.cls_loader(data, 'train')['dataset'], tiny.cls_loader(data, 'val')['dataset']
    again = dict(inner, pipeline=[dict(type='PackInputs')])
    with pytest.raises(DataError, match=r'^train_dataloader.cls.dataset.datasets\[2\]: it has the images of .*0'):
        task_data(tiny.loader(dict(type='ConcatDataset', datasets=[inner, other, again]), 4))


def test_images_without_a_path_that_are_listed_twice_are_refused(tmp_path):
    write_cifar(tmp_path)
    cifar = dict(type='imtnas_mm.CIFAR10', data_root=str(tmp_path), check_md5=False, pipeline=[dict(type='PackInputs')])
    parts = [dict(cifar, split=split) for split in ('train', 'test')]
    assert task_data(tiny.loader(dict(type='ConcatDataset', datasets=parts, ignore_keys=[]), 4))
    with pytest.raises(DataError, match=r'datasets\[1\]: it has the images of datasets\[0\]'):
        task_data(tiny.loader(dict(type='ConcatDataset', datasets=[parts[0]] * 2, ignore_keys=[]), 4))


def test_halves_and_epochs(data):
    actual = task_data(tiny.cls_loader(data, 'train', batch_size=4), ratio=.75)
    assert len(actual.train_indices) == 18 and len(actual.val_indices) == 6  # of 3 classes' 8 images
    assert not np.intersect1d(actual.train_indices, actual.val_indices).size
    assert actual.batches_per_epoch == 4  # 18 // 4, the rest is left to other epochs
    assert task_data(tiny.cls_loader(data, 'train', batch_size=100)).batches_per_epoch == 1


def test_loaders_draw_apart(data):
    actual = task_data(tiny.cls_loader(data, 'train', batch_size=4))
    paths = {
        name: [sample.img_path for sample in next(iter(loader(seed=1, start=0)))['data_samples']]
        for name, loader in (('train', actual.train_loader),
                             ('val', functools.partial(actual.architecture_loader, unroll_batch='val')))
    }
    assert not set(paths['train']) & set(paths['val'])
    examples = next(iter(actual.example_loader(seed=1, start=0, batch_size=4)))['data_samples']
    assert [sample.img_path for sample in examples] != paths['train']


@pytest.mark.parametrize('unroll_batch, half', [('val', 'val_indices'), ('train', 'train_indices')])
def test_what_a_is_judged_on(data, unroll_batch, half):
    actual = task_data(tiny.cls_loader(data, 'train', batch_size=4))
    own = {actual.dataset.get_data_info(i)['img_path'] for i in getattr(actual, half)}
    batch = next(iter(actual.architecture_loader(1, 0, unroll_batch)))
    assert {sample.img_path for sample in batch['data_samples']} <= own


@pytest.mark.parametrize('key', ['dataset', 'batch_size'])
def test_what_a_dataloader_needs(data, key):
    loader = tiny.cls_loader(data, 'train')
    del loader[key]
    with pytest.raises(ValueError, match=f'train_dataloader.cls.{key} is missing'):
        task_data(loader)


def test_batches_are_pinned_where_a_gpu_is_there(data, monkeypatch):
    def pinned(**options):
        actual = task_data({**tiny.cls_loader(data, 'train'), **options})
        loaders = (actual.train_loader(seed=1, start=0), actual.architecture_loader(1, 0, 'val'),
                   actual.example_loader(seed=1, start=0, batch_size=2))
        return {loader.pin_memory for loader in loaders}

    assert pinned() == {False} and pinned(pin_memory=True) == {True}
    monkeypatch.setattr('torch.cuda.is_available', lambda: True)
    assert pinned() == {True} and pinned(pin_memory=False) == {False}
