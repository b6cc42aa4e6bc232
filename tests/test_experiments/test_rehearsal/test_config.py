"""The config of a rehearsal: noise of the true numbers and sizes, and all else as it was."""
import copy

import pytest
from mmengine.config import Config

from helpers import tiny_run as tiny
from imtnas_mm.experiments.rehearsal.config import rehearsal_config


def read(name, **options):
    cfg = Config.fromfile(tiny.ROOT / 'configs' / f'{name}.py')
    cfg.merge_from_dict(options)
    return cfg


def test_cifar():
    cfg = read('retrain/cells_cifar100')
    before = copy.deepcopy(cfg.to_dict())
    changed = rehearsal_config(cfg)
    assert cfg.to_dict() == before  # a pure function
    train, test = changed.train_dataloader, changed.test_dataloader
    assert (train.dataset.length, test.dataset.length) == (50_000, 10_000) and len(
        train.dataset.metainfo.classes) == 100
    assert train.dataset.image_size == (32, 32) and train.dataset.stored
    assert train.dataset.pipeline == cfg.train_dataloader.dataset.pipeline  # it has no Load step
    assert train.sampler == cfg.train_dataloader.sampler and train.batch_size == 96 and not train.num_workers
    assert test.sampler == dict(type='imtnas_mm.FirstExamples', number=2 * 96)
    for field in ('optim_wrapper', 'param_scheduler', 'train_cfg', 'val_evaluator', 'custom_hooks', 'model'):
        assert changed[field] == cfg[field]
    assert rehearsal_config(read('retrain/cells_cifar10', **{
        'train_dataloader.dataset.image_size': 16})).train_dataloader.dataset.image_size == (16, 16)


def test_coco():
    changed = rehearsal_config(read('retrain/mbconv_retinanet_coco'))
    train, test = changed.train_dataloader, changed.test_dataloader
    assert (train.dataset.length, test.dataset.length) == (117_266, 5000) and train.dataset.boxes == 7
    assert train.dataset.image_size == (480, 640) and len(train.dataset.metainfo.classes) == 80
    assert train.dataset.pipeline[0].type == 'imtnas_mm.LoadImageFromNoise' and train.batch_sampler
    assert train.dataset.pipeline[1:] == read('retrain/mbconv_retinanet_coco').train_dataloader.dataset.pipeline[1:]
    assert 'instances' in test.dataset.pipeline[-1].meta_keys and changed.test_evaluator.ann_file is None
    assert 'init_cfg' not in changed.model.backbone and changed.model.test_cfg.score_thr == 0
    unfiltered = read('retrain/mbconv_retinanet_coco', **{'train_dataloader.dataset.filter_cfg': None})
    assert rehearsal_config(unfiltered).train_dataloader.dataset.length == 118_287


def test_a_search_of_two_libraries():
    cfg = read('imtnas_cls_det', **{'train_cfg.split.ratio': .25})
    changed = rehearsal_config(cfg)
    train, val, test = (changed[f'{part}_dataloader'] for part in ('train', 'val', 'test'))
    assert [loader.dataset.length for loader in (train.cls, train.det, test.cls, test.det)] == [
        1_281_167, 117_266, 50_000, 5000]
    assert train.cls.dataset.image_size == (375, 500) and len(train.cls.dataset.metainfo.classes) == 1000
    assert val.det.dataset.type == 'imtnas_mm.ValidationPart' and val.det.dataset.num == 5000
    assert val.det.sampler.number == 2 and val.cls.sampler.number == 256
    assert changed.train_cfg == cfg.train_cfg and changed.default_hooks.logger.interval == 1


def test_slices_stay_and_labels_are_those_that_are_named():
    part = dict(type='imtnas_mm.DatasetSlice', num=9, dataset=dict(
        type='ImageNet', data_root='x', split='val', metainfo=dict(classes=['a', 'b']), pipeline=[]))
    changed = rehearsal_config(read('retrain/mbconv_imagenet', **{
        'val_dataloader.dataset': dict(part, _delete_=True)})).val_dataloader.dataset
    assert changed.num == 9 and changed.dataset.length == 50_000 and changed.dataset.metainfo.classes == ['a', 'b']


@pytest.mark.parametrize('wrong, text', [
    (dict(type='CustomDataset', data_root='x', pipeline=[]), r"train_dataloader\.dataset\.type: 'CustomDataset'"),
    (dict(type='ImageNet', split='test', pipeline=[]), r'train_dataloader\.dataset: ImageNet .* train and val'),
    (dict(type='ImageNet', split='val', pipeline=[dict(type='RandomApply', transforms=[dict(type='LoadProposals')])]),
     r'pipeline\[0\]\.transforms\[0\]: LoadProposals')], ids=['set', 'split', 'step'])
def test_what_it_cannot_make_is_refused(wrong, text):
    cfg = read('retrain/mbconv_imagenet', **{'train_dataloader.dataset': dict(wrong, _delete_=True)})
    with pytest.raises(ValueError, match=text):
        rehearsal_config(cfg)
