"""A batch on its device: all of it, in few copies, and as it was."""
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.model import BaseDataPreprocessor
from mmengine.structures import BaseDataElement, InstanceData, PixelData

from helpers.device_calls import DeviceCalls
from imtnas_mm.tasks.moving import are_images, moved, stacked
from imtnas_mm.tasks.resizing import TOGETHER, resized
from imtnas_mm.transport import LARGE, copied_together, tensors_of, to_device, with_tensors

SHAPES = [(3, 4, 5), (0, 4), (), (7, ), (2, 3)]


def tensors(dtype=torch.float32):
    return [(100 * torch.rand(shape)).to(dtype) for shape in SHAPES]


@pytest.mark.parametrize('dtype', [torch.float32, torch.uint8, torch.int64, torch.bool])
def test_tensors_copied_together_are_themselves(dtype):
    before = [*tensors(dtype), torch.arange(12).reshape(3, 4).t().to(dtype)]
    actual = copied_together(before, torch.device('cpu'))
    base = actual[0]._base
    for tensor, original in zip(actual, before, strict=True):
        assert tensor.dtype == dtype and torch.equal(tensor, original) and tensor._base is base


def test_there_is_one_copy_per_dtype():
    mixed = [tensor for trio in zip(tensors(), tensors(torch.uint8), tensors(torch.int64), strict=True)
             for tensor in trio]
    there = torch.zeros(3, device='meta')
    with DeviceCalls() as counter:
        actual = to_device([*mixed, there], 'meta')
    assert counter.copies == {torch.float32: 1, torch.uint8: 1, torch.int64: 1}
    assert actual[-1] is there
    for tensor, original in zip(actual, mixed, strict=False):
        assert tensor.is_meta and tensor.shape == original.shape and tensor.dtype == original.dtype


def test_large_pinned_tensors_are_not_gathered_first(monkeypatch):
    monkeypatch.setattr(torch.Tensor, 'is_pinned', lambda tensor: True)
    large, small = [torch.zeros(LARGE, dtype=torch.uint8)] * 2, [torch.zeros(LARGE - 1, dtype=torch.uint8)] * 3
    gathered = []
    monkeypatch.setattr('imtnas_mm.transport.copied_together',
                        lambda some, device: gathered.extend(some) or copied_together(some, device))
    with DeviceCalls() as counter:
        to_device([*large, *small], 'meta')
    assert counter.copies == {torch.uint8: 3} and len(gathered) == 3


def det_sample(masks=True):
    sample = DetDataSample(metainfo=dict(img_shape=(8, 8), img_id=3, scale_factor=(1., 1.)))
    sample.gt_instances = InstanceData(bboxes=HorizontalBoxes(torch.rand(2, 4)), labels=torch.tensor([1, 0]))
    if masks:
        sample.gt_instances.masks = BitmapMasks(np.zeros((2, 8, 8), dtype=np.uint8), 8, 8)
    sample.ignored_instances = InstanceData(bboxes=HorizontalBoxes(torch.rand(0, 4)), labels=torch.zeros(0).long())
    sample.proposals = InstanceData(bboxes=torch.rand(3, 4), scores=torch.rand(3))
    sample.gt_sem_seg = PixelData(sem_seg=torch.zeros(1, 8, 8, dtype=torch.uint8))
    return sample


def described(data):
    """Structure, types, shapes and values that aren't tensors' own."""
    if isinstance(data, torch.Tensor):
        return type(data), data.device, data.dtype, tuple(data.shape)
    if isinstance(data, HorizontalBoxes):
        return type(data), described(data.tensor)
    if isinstance(data, BaseDataElement):
        return type(data), data.metainfo, {key: described(value) for key, value in data.items()}
    if isinstance(data, dict):
        return {key: described(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return type(data), [described(value) for value in data]
    return data if isinstance(data, str | int | float | type(None)) else type(data)


def test_a_batch_moves_as_mmengine_would_move_it():
    batch = dict(inputs=[torch.zeros(3, 8, size, dtype=torch.uint8) for size in (8, 6)],
                 data_samples=[det_sample(), det_sample(masks=False)],
                 more=dict(pair=(torch.rand(2), 'name'), nothing=None, number=3))
    before = described(batch)
    with DeviceCalls() as counter:
        actual = moved(batch, 'meta')
    assert set(counter.copies.values()) == {1}
    expected = BaseDataPreprocessor().to('meta').cast_data(batch)
    assert described(actual) == described(expected)
    assert described(batch) == before
    assert moved(batch, 'cpu') is batch


def test_values_keep_their_places():
    """On a CPU nothing moves, so another device's copies are made on the CPU here."""
    batch = dict(a=[torch.arange(3), torch.tensor([7, 8])], b=det_sample(), c=torch.arange(4.))
    tensors = list(tensors_of(batch))
    actual = with_tensors(batch, iter([tensor + 1 for tensor in tensors]))
    assert actual['a'][1].tolist() == [8, 9] and actual['c'].tolist() == [1., 2., 3., 4.]
    assert torch.equal(actual['b'].gt_instances.bboxes.tensor, batch['b'].gt_instances.bboxes.tensor + 1)
    assert torch.equal(actual['b'].proposals.scores, batch['b'].proposals.scores + 1)


def test_images_of_one_size_are_stacked():
    images = [torch.randint(0, 256, (3, 5, 6), dtype=torch.uint8) for _ in range(4)]
    assert torch.equal(stacked(images, 'cpu'), torch.stack(images))
    with DeviceCalls() as counter:
        actual = stacked(images, 'meta')
        assert stacked(torch.stack(images), 'meta').shape == actual.shape == (4, 3, 5, 6)
        lists = stacked([*images, images[0][:, :3]], 'meta')
    assert counter.copies == {torch.uint8: 3} and isinstance(lists, list) and lists[-1].shape == (3, 3, 6)
    assert stacked([image.to('meta') for image in images], 'meta').is_meta


def test_what_images_are():
    image = torch.zeros(3, 4, 4)
    assert are_images([image]) and are_images((image, image)) and are_images(torch.zeros(2, 3, 4, 4))
    assert not are_images([]) and not are_images(image) and not are_images([[image], [image]])
    assert not are_images([image, 'name']) and not are_images(dict(a=image))


@pytest.mark.parametrize('swap', [False, True])
def test_images_are_resized_as_if_alone(swap):
    sizes = [(20, 30)] * (TOGETHER + 3) + [(16, 16), (9, 40), (16, 16), (50, 17), (1, 1), (12, 12)]
    images = [torch.randint(0, 256, (3, *size), dtype=torch.uint8) for size in sizes]
    images = [images[i] for i in torch.randperm(len(images)).tolist()]
    expected = []
    for image in images:
        image = image.float()[None] / 255
        image = image.flip(1) if swap else image
        expected.append(F.interpolate(image, (12, 12), mode='bilinear', antialias=True))
    assert torch.equal(resized(images, 12, swap), torch.cat(expected).clamp(0, 1))
