"""Images of noise: the fields of real examples, subsets, and no memory for the length."""
import time

import numpy as np
import pytest
from mmengine.registry import DefaultScope

from helpers.scopes import own_scope
from imtnas_mm.datasets import FirstExamples, SyntheticDataset, build_dataset, raw_images

NAMES = dict(classes=tuple('abcde'))
LOAD = dict(type='imtnas_mm.LoadImageFromNoise')
BOXES = [LOAD, dict(type='LoadAnnotations', with_bbox=True), dict(type='Resize', scale=(96, 64), keep_ratio=True),
         dict(type='PackDetInputs')]


def build(scope, **options):
    cfg = dict(dict(type='imtnas_mm.SyntheticDataset', length=20, image_size=(32, 48), metainfo=NAMES), **options)
    with own_scope():
        DefaultScope.get_instance(f'synthetic_{time.time_ns()}', scope_name=scope)
        return build_dataset(cfg, scope)


def test_classification():
    dataset = build('mmpretrain', pipeline=[LOAD, dict(type='RandomFlip', prob=.5), dict(type='PackInputs')])
    example, again = dataset[7], dataset[7]
    assert example['inputs'].shape == (3, 32, 48) and example['data_samples'].gt_label.item() == 7 % 5
    assert example['data_samples'].ori_shape == (32, 48)
    images = {again['inputs'].numpy().tobytes(), again['inputs'].flip(2).numpy().tobytes()}
    assert example['inputs'].numpy().tobytes() in images != {dataset[8]['inputs'].numpy().tobytes()}
    assert raw_images(dataset, 'train')[7]['inputs'].shape == (3, 32, 48)
    assert dataset.get_gt_labels().tolist() == [i % 5 for i in range(20)] and dataset.metainfo['classes'] == NAMES[
        'classes']


def test_stored_images_come_as_those_of_cifar():
    info = build('mmpretrain', stored=True).get_data_info(3)
    assert info['img'].dtype == np.uint8 and info['img'].shape == (32, 48, 3)
    assert set(info) == {'sample_idx', 'img', 'gt_label'}


def test_detection():
    dataset = build('mmdet', image_size=(480, 640), boxes=7, pipeline=BOXES)
    labels = set()
    for i in range(20):
        for box in dataset.get_data_info(i)['instances']:
            left, top, right, bottom = box['bbox']
            assert 0 <= left < right <= 640 and 0 <= top < bottom <= 480
        labels.update(dataset.get_cat_ids(i))
    assert labels == set(range(5))  # all classes
    sample = dataset[0]['data_samples']
    assert sample.gt_instances.bboxes.tensor.shape == (7, 4) and sample.gt_instances.bboxes.tensor.max() <= 86
    areas = [(box['bbox'][2] - box['bbox'][0]) * (box['bbox'][3] - box['bbox'][1])
             for i in range(20) for box in dataset.get_data_info(i)['instances']]
    assert min(areas) < 32**2 < 96**2 < max(areas)  # small, medium and large, as COCO's metric counts them


def test_subsets_and_length():
    dataset = build('mmpretrain', length=10**7)
    assert len(dataset) == 10**7
    part = dataset.get_subset([9_999_999, 4])
    assert len(part) == 2 and part.get_data_info(0)['img_id'] == 9_999_999 and len(dataset) == 10**7
    assert [len(dataset.get_subset(number)) for number in (3, -3)] == [3, 3]
    part.get_subset_([1])
    assert part.get_data_info(0)['img_id'] == 4
    assert list(FirstExamples(dataset, 3)) == [0, 1, 2] and len(FirstExamples(part, 3)) == 1


@pytest.mark.parametrize('wrong', [dict(length=0), dict(image_size=(0, 4)), dict(metainfo={})], ids=str)
def test_refused(wrong):
    with pytest.raises(ValueError, match='length=0|image_size|classes'):
        SyntheticDataset(**{**dict(length=2, image_size=(4, 4), metainfo=NAMES), **wrong})
