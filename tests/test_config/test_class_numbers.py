"""Class names and ``num_classes`` come from the data, once per task."""
import copy

import pytest

from helpers import tiny_run as tiny
from imtnas_mm.config.class_numbers import fill_classes
from imtnas_mm.datasets import DataError, class_names

NONE = dict(classes=None)


def coco(data, part='train', **fields):
    return dict(tiny.det_loader(data, part)['dataset'], **fields)


def folders(data, part='train', **fields):
    return dict(tiny.cls_loader(data, part)['dataset'], **fields)


def test_names_of_a_dataset(data):
    assert class_names(coco(data, metainfo=NONE), 'mmdet', 'd') == tiny.CLASSES
    assert class_names(coco(data, metainfo=dict(classes=['red'])), 'mmdet', 'd') == ('red', )
    assert len(class_names(coco(data, metainfo={}), 'mmdet', 'd')) == 80  # COCO's own, as before
    assert class_names(folders(data), 'mmpretrain', 'd') == tiny.CLASSES
    assert class_names(folders(data, classes=['a', 'b', 'c']), 'mmpretrain', 'd') == ('a', 'b', 'c')
    assert class_names(folders(data, ann_file='list.txt'), 'mmpretrain', 'd') is None
    assert len(class_names(dict(type='ImageNet', data_root='none', split='train'), 'mmpretrain', 'd')) == 1000
    wrapped = dict(type='ConcatDataset', datasets=[dict(type='RepeatDataset', times=2, dataset=coco(
        data, metainfo=NONE))])
    assert class_names(wrapped, 'mmdet', 'd') == tiny.CLASSES


@pytest.mark.parametrize('change, scope, message', [
    (dict(ann_file='none.json'), 'mmdet', r"^d\.ann_file: '.*none.json' is not a file"),
    (dict(data_prefix='none'), 'mmpretrain', r"^d\.data_prefix: '.*none' is not a folder; expected train/<class>/"),
    (dict(data_prefix='train/blue'), 'mmpretrain', r"^d\.data_prefix: '.*blue' has no folders; expected one per class"),
])
def test_data_that_cannot_be_used(data, change, scope, message):
    make = coco if scope == 'mmdet' else folders
    with pytest.raises(DataError, match=message):
        class_names(make(data, metainfo=NONE, **change), scope, 'd')


def test_what_is_left_out_is_filled_in(data):
    model = dict(
        backbone=dict(num_classes=None), data_preprocessor=dict(num_classes=None),
        bbox_head=dict(type='RetinaHead'), roi_head=dict(bbox_head=[dict(type='Shared2FCBBoxHead')], mask_head=dict(
            type='FCNMaskHead', num_classes=5)), rpn_head=dict(type='RPNHead'))
    datasets = {'train': coco(data, metainfo=dict(NONE)), 'val': dict(dataset=coco(data, 'val', metainfo=dict(NONE))),
                'test': coco(data, metainfo=dict(classes=('red', )))}
    fill_classes({'model': model}, datasets, 'mmdet')
    assert model['data_preprocessor']['num_classes'] == model['bbox_head']['num_classes'] == 3
    assert model['roi_head']['bbox_head'][0]['num_classes'] == 3
    assert model['roi_head']['mask_head']['num_classes'] == 5  # stated ones stay; a run compares them with the data
    assert model['backbone'] == dict(num_classes=None) and 'num_classes' not in model['rpn_head']
    assert datasets['train']['metainfo'] == datasets['val']['dataset']['metainfo'] == dict(classes=tiny.CLASSES)
    assert datasets['test']['metainfo'] == dict(classes=('red', ))


def test_nothing_is_read_if_nothing_is_missing():
    model, datasets = dict(tiny.DETECTOR), {'train': coco('nowhere')}
    before = copy.deepcopy(datasets)
    fill_classes({'model': model}, datasets, 'mmdet')
    assert model == tiny.DETECTOR and datasets == before


def test_data_without_names(data):
    head = dict(head=dict(type='LinearClsHead', in_channels=2))
    with pytest.raises(DataError, match=r'^model\.head\.num_classes: is missing, and train_dataloader\.dataset has no '
                       r'class names .*; set it, or train_dataloader\.dataset\.metainfo\.classes'):
        fill_classes({'model': head}, {'train_dataloader.dataset': folders(data, ann_file='list.txt')}, 'mmpretrain')
    optional = dict(data_preprocessor=dict(type='ClsDataPreprocessor', num_classes=None))
    fill_classes({'model': optional}, {'train': folders(data, ann_file='list.txt')}, 'mmpretrain')
    assert optional == dict(data_preprocessor=dict(type='ClsDataPreprocessor', num_classes=None))
