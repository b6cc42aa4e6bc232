"""A task's preprocessed batch against that of its library's preprocessor."""
import copy

import numpy as np
import pytest
import torch
from mmdet.models import DetDataPreprocessor
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.logging import MessageHub
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.structures import DataSample, MultiTaskDataSample

from helpers.device_calls import DeviceCalls
from helpers.host_reads import no_host_reads
from helpers.small_search import CLASSIFIER, DETECTOR, SPACE, TASKS, images
from imtnas_mm.random_state import isolated_random
from imtnas_mm.registry import MODELS

NORMAL = dict(mean=[120., 110., 100.], std=[60., 55., 50.])


def build_task(name, **preprocessor):
    own = dict(dict(cls=CLASSIFIER, det=DETECTOR)[name])
    own['data_preprocessor'] = preprocessor or own['data_preprocessor']
    return MODELS.build(dict(copy.deepcopy(TASKS[name]), model=own, search_space=SPACE))


def on(device, task):
    """The task with its batches on a device, as a search's model puts them."""
    task.data_preprocessor.to(device)
    return task


def assert_alike(value, other, name='batch'):
    assert type(value) is type(other), name
    if isinstance(value, torch.Tensor):
        assert value.dtype == other.dtype and value.device == other.device and torch.equal(value, other), name
        assert value.is_contiguous() == other.is_contiguous(), name
    elif isinstance(value, BaseDataElement):
        assert sorted(value.keys()) == sorted(other.keys()) and value.metainfo == other.metainfo, name
        for key in value.keys():
            assert_alike(value.get(key), other.get(key), f'{name}.{key}')
    elif isinstance(value, HorizontalBoxes):
        assert_alike(value.tensor, other.tensor, name)
    elif isinstance(value, BitmapMasks):
        assert np.array_equal(value.masks, other.masks), name
    elif isinstance(value, dict):
        assert value.keys() == other.keys(), name
        for key in value:
            assert_alike(value[key], other[key], f'{name}.{key}')
    elif isinstance(value, list | tuple):
        assert len(value) == len(other), name
        for i, pair in enumerate(zip(value, other, strict=True)):
            assert_alike(*pair, f'{name}[{i}]')
    else:
        assert value == other, name


def assert_as_the_library(task, batch, training=True):
    with isolated_random(1):
        expected = copy.deepcopy(task.data_preprocessor)(copy.deepcopy(batch), training)
    with isolated_random(1):
        actual = task.preprocess(copy.deepcopy(batch), training)
    assert_alike(actual, expected)
    return actual


# --- classification ---


def cls_samples(number, scores=False):
    samples = [DataSample(metainfo=dict(sample_idx=i)).set_gt_label(i % 3) for i in range(number)]
    for sample in samples if scores else ():
        sample.set_gt_score(torch.rand(3))
    return samples


def sized(*sizes):
    return [torch.randint(0, 256, (3, *size), dtype=torch.uint8) for size in sizes]


CLS_INPUTS = dict(
    alike=lambda: images(4), one=lambda: images(1), stacked=lambda: torch.stack(images(4)),
    unlike=lambda: sized((16, 16), (12, 18), (16, 16)), grey=lambda: [image[:1] for image in images(3)],
    floats=lambda: [image.float() for image in images(3)])
CLS = dict(
    plain=dict(num_classes=3, to_rgb=True, **NORMAL), bgr=dict(num_classes=3, **NORMAL),
    raw=dict(num_classes=3, to_rgb=True), padded=dict(to_rgb=True, pad_size_divisor=10, pad_value=7, **NORMAL),
    mixed=dict(num_classes=3, to_rgb=True, batch_augments=dict(augments=[
        dict(type='Mixup', alpha=.8), dict(type='CutMix', alpha=1.)]), **NORMAL),
    onehot=dict(num_classes=3, to_onehot=True, **NORMAL))


@pytest.mark.parametrize('inputs', CLS_INPUTS)
@pytest.mark.parametrize('preprocessor', CLS)
def test_classification_batches_are_the_librarys(preprocessor, inputs):
    options = dict(CLS[preprocessor])
    if inputs == 'grey' and 'mean' in options:
        options.update(mean=[120.], std=[60.])
    task = build_task('cls', **options)
    batch = CLS_INPUTS[inputs]()
    number = len(batch)
    for training in (True, False):
        assert_as_the_library(task, dict(inputs=batch, data_samples=cls_samples(number)), training)
    assert_as_the_library(task, dict(inputs=batch, data_samples=cls_samples(number, scores=True)))
    assert_as_the_library(task, dict(inputs=batch), False)


def test_a_batch_of_several_labels_per_image():
    samples = [DataSample().set_gt_label(labels) for labels in ([0, 2], [1], [0, 1, 2])]
    actual = assert_as_the_library(
        build_task('cls', **CLS['onehot']), dict(inputs=images(3), data_samples=samples))
    assert actual['data_samples'][2].gt_score.tolist() == [1, 1, 1]


def test_samples_of_several_tasks_are_left_to_the_library():
    samples = []
    for i in range(2):
        sample = MultiTaskDataSample()
        sample.set_field(DataSample().set_gt_label(i), 'one')
        samples.append(sample)
    assert_as_the_library(build_task('cls'), dict(inputs=images(2), data_samples=samples))


def test_a_classification_batch_takes_two_copies():
    task = on('meta', build_task('cls'))
    with DeviceCalls() as counter:
        actual = task.preprocess(dict(inputs=images(6), data_samples=cls_samples(6)), True)
    assert counter.copies == {torch.uint8: 1, torch.int64: 1}
    assert actual['inputs'].is_meta and all(s.gt_label.is_meta for s in actual['data_samples'])
    assert [s.gt_label.shape for s in actual['data_samples']] == [(1, )] * 6
    with DeviceCalls() as counter:
        task.preprocess(dict(inputs=sized((16, 16), (12, 18)), data_samples=cls_samples(2, scores=True)), True)
    assert counter.copies == {torch.uint8: 1, torch.int64: 1, torch.float32: 1}


def test_a_classification_loss_reads_nothing(monkeypatch):
    monkeypatch.setattr(torch, 'is_autocast_enabled', lambda kind: False)  # it doesn't know of meta tensors
    for device in ('meta', 'cpu'):
        task = on(device, build_task('cls'))
        data = task.preprocess(dict(inputs=images(4), data_samples=cls_samples(4)), True)
        encoder = (task.layout.offset + task.layout.scale).float().to(device).requires_grad_()
        gates = {f'gates.{n}': torch.full(s, 1 / s[-1], device=device)
                 for n, s in task.space.alpha_shapes().items()}
        head = {n: t.detach().to(device) for n, t in task.build_head().tensors().items()}
        with no_host_reads():
            loss, _ = task.loss(encoder, gates, head, data)
            first, = torch.autograd.grad(loss, [encoder], create_graph=True)
            (first * first).sum().backward()
        assert encoder.grad.device.type == device


# --- detection ---


def det_batch(sizes, masks=False, ignored=False, seg=False, boxtype=False):
    samples = []
    for i, size in enumerate(sizes):
        sample = DetDataSample(metainfo=dict(img_shape=size, ori_shape=size, scale_factor=(1., 1.), img_id=i))
        boxes = torch.rand(i, 4) * 8
        sample.gt_instances = InstanceData(
            bboxes=HorizontalBoxes(boxes) if boxtype else boxes, labels=torch.arange(i) % 3)
        if masks:
            sample.gt_instances.masks = BitmapMasks(np.ones((i, *size), dtype=np.uint8), *size)
        if ignored:
            sample.ignored_instances = InstanceData(bboxes=torch.rand(2, 4), labels=torch.zeros(2).long())
        if seg:
            sample.gt_sem_seg = PixelData(sem_seg=torch.ones(1, *size, dtype=torch.uint8))
        samples.append(sample)
    return dict(inputs=sized(*sizes), data_samples=samples)


ALIKE, UNLIKE = [(16, 20)] * 3, [(16, 20), (20, 12), (9, 9)]
DET = dict(
    plain=dict(bgr_to_rgb=True, pad_size_divisor=8, **NORMAL), bgr=dict(pad_size_divisor=8, **NORMAL),
    raw=dict(rgb_to_bgr=True, pad_value=3),
    everything=dict(bgr_to_rgb=True, pad_size_divisor=8, pad_mask=True, mask_pad_value=2, pad_seg=True, **NORMAL),
    boxes=dict(bgr_to_rgb=True, boxtype2tensor=False, **NORMAL),
    resizing=dict(bgr_to_rgb=True, batch_augments=[
        dict(type='BatchSyncRandomResize', random_size_range=(32, 64), size_divisor=32, interval=1)], **NORMAL),
    fixed=dict(bgr_to_rgb=True, batch_augments=[dict(type='BatchFixedSizePad', size=(24, 24))], **NORMAL))


@pytest.mark.parametrize('sizes', [ALIKE, UNLIKE, [(8, 8)]], ids=['alike', 'unlike', 'one'])
@pytest.mark.parametrize('preprocessor', DET)
def test_detection_batches_are_the_librarys(preprocessor, sizes):
    MessageHub.get_current_instance().update_info('iter', 0)
    task = build_task('det', type='DetDataPreprocessor', **DET[preprocessor])
    extras = dict(masks=preprocessor == 'everything', seg=preprocessor == 'everything',
                  ignored=preprocessor in ('plain', 'resizing'), boxtype=preprocessor in ('boxes', 'bgr'))
    assert_as_the_library(task, det_batch(sizes, **extras))
    assert_as_the_library(task, det_batch(sizes, **extras), False)
    assert task.data_preprocessor._channel_conversion == ('bgr' != preprocessor)
    assert_as_the_library(task, dict(inputs=sized(*sizes), data_samples=None), False)
    if sizes == ALIKE:
        batch = det_batch(sizes, **extras)
        assert_as_the_library(task, dict(batch, inputs=torch.stack(batch['inputs'])))


def test_the_raw_batch_stays_as_it_was():
    batch = det_batch(UNLIKE)
    before = copy.deepcopy(batch)
    build_task('det').preprocess(batch, True)
    assert_alike(batch, before)


def test_a_failing_batch_leaves_the_preprocessor_as_it_was():
    task = build_task('det')
    with pytest.raises(AttributeError):
        task.preprocess(dict(inputs=images(2), data_samples=['no sample', 'no sample']), True)
    assert task.data_preprocessor._channel_conversion is True


@pytest.mark.parametrize('sizes', [ALIKE, UNLIKE], ids=['alike', 'unlike'])
def test_a_detection_batch_takes_three_copies(sizes):
    task = on('meta', build_task('det'))
    with DeviceCalls() as counter:
        actual = task.preprocess(det_batch(sizes, ignored=True, boxtype=True), True)
    assert counter.copies == {torch.uint8: 1, torch.int64: 1, torch.float32: 1}
    for sample in actual['data_samples']:
        assert sample.gt_instances.bboxes.is_meta and sample.ignored_instances.labels.is_meta
        assert isinstance(sample.gt_instances.bboxes, torch.Tensor)
    with DeviceCalls() as counter:
        copy.deepcopy(task.data_preprocessor)(det_batch(sizes, ignored=True, boxtype=True), True)
    assert sum(counter.copies.values()) >= 5 * len(sizes)


# --- preprocessors of other classes ---


def test_preprocessors_of_other_classes_get_the_raw_batch():
    seen = []

    class Cls(ClsDataPreprocessor):

        def forward(self, data, training=False):
            seen.append(data)
            return super().forward(data, training)

    class Det(DetDataPreprocessor):

        def forward(self, data, training=False):
            seen.append(data)
            return super().forward(data, training)

    for name, kind, batch in (('cls', Cls, dict(inputs=images(2), data_samples=cls_samples(2))),
                              ('det', Det, det_batch(UNLIKE))):
        task = build_task(name, type=kind, **NORMAL)
        task.preprocess(batch, True)
        assert seen.pop() is batch
        assert_as_the_library(task, batch)


@pytest.mark.parametrize('name', ['cls', 'det'])
def test_examples_take_one_copy(name):
    task = on('meta', build_task(name))
    with DeviceCalls() as counter:
        actual = task.examples(sized((8, 8), (9, 20), (8, 8)), 12)
    assert counter.copies == {torch.uint8: 1} and actual.shape == (3, 3, 12, 12)
