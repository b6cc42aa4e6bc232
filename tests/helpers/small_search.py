"""A search small enough for exact comparisons: two tasks, tiny images, everything in float64 on request."""
import copy

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from mmpretrain.structures import DataSample

from imtnas_mm.registry import MODELS

# 4 layers of three blocks each, one of them with a legal identity: the time of a step is that of its calls
LAYOUT = dict(
    name='tiny', widths=(8, 8, 16), depths=(1, 2, 1), strides=(1, 1, 2), stem_width=8, first_width=8,
    candidates=tuple(dict(kernel=k, expansion=e) for k, e in ((3, 3), (3, 6), (5, 3))))

BATCH_NORM = dict(type='BN', affine=False, track_running_stats=False)
SPACE = dict(type='MBConvSupernet', layout=LAYOUT, out_indices=(2, ), norm_cfg=BATCH_NORM)
CLASSIFIER = dict(
    type='ImageClassifier',
    data_preprocessor=dict(num_classes=3, mean=[120., 110., 100.], std=[60., 55., 50.], to_rgb=True),
    head=dict(
        type='imtnas_mm.ImageNetHead', num_classes=3, in_channels=16, hidden_channels=8, dropout=.2,
        norm_cfg=BATCH_NORM, topk=(1, )))
DETECTOR = dict(
    type='RetinaNet',
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[120., 110., 100.], std=[60., 55., 50.], bgr_to_rgb=True, pad_size_divisor=8),
    neck=dict(type='FPN', in_channels=[8, 16], out_channels=8, num_outs=2),
    bbox_head=dict(
        type='RetinaHead',
        num_classes=3,
        in_channels=8,
        stacked_convs=1,
        feat_channels=8,
        anchor_generator=dict(
            type='AnchorGenerator', octave_base_scale=2, scales_per_octave=1, ratios=[1.], strides=[2, 4]),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2., alpha=.25),
        loss_bbox=dict(type='L1Loss')),
    train_cfg=dict(
        assigner=dict(type='MaxIoUAssigner', pos_iou_thr=.5, neg_iou_thr=.4, min_pos_iou=0, ignore_iof_thr=-1),
        sampler=dict(type='PseudoSampler'),
        allowed_border=-1,
        pos_weight=-1),
    test_cfg=dict(nms_pre=50, score_thr=.01, nms=dict(type='nms', iou_threshold=.5), max_per_img=10))
CELLS = dict(type='DARTSSupernet', channels=4, layers=3, stem_stride=2)
CELL_CLASSIFIER = dict(  # of any of the cell spaces
    type='ImageClassifier',
    data_preprocessor=CLASSIFIER['data_preprocessor'],
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=3, in_channels=64, topk=(1, )))
TASKS = dict(
    cls=dict(type='ClassificationTask', model=CLASSIFIER),
    cell=dict(type='ClassificationTask', model=CELL_CLASSIFIER),
    det=dict(type='DetectionTask', model=DETECTOR, backbone=dict(out_indices=(1, 2))))
# the statistic whose derivatives need the sets in active pairs alone
TRANSFER = dict(
    type='MMDTransfer', num_examples=4, num_augmentations=4, image_size=16, statistic='scaled', threshold=.3)


def build(order=('cls', 'det'), rounds=2, dtype=torch.float64, space=None, **options):
    """An IMTNAS over the small tasks named in ``order`` (a name may have a number behind it: cls2).

    ``space`` is another search space, or options of the small one.
    """
    space = dict(space or {})
    tasks = {name: copy.deepcopy(TASKS[name.rstrip('0123456789')]) for name in order}
    options = dict(dict(encoder_weights=dict(type='HyperNetwork'), transfer=TRANSFER), **options)
    return MODELS.build(
        dict(type='imtnas_mm.IMTNAS', search_space=space if 'type' in space else dict(SPACE, **space), tasks=tasks,
             rounds=rounds, order=tuple(order), **copy.deepcopy(options))).to(dtype)


def build_method(method, order=('cls', 'cls2'), rounds=1, dtype=torch.float64, space=SPACE, **options):
    """A search method by its name over the small tasks named in ``order``."""
    tasks = {name: copy.deepcopy(TASKS[name.rstrip('0123456789')]) for name in order}
    return MODELS.build(dict(
        type=f'imtnas_mm.{method}', search_space=dict(space), tasks=tasks, rounds=rounds, order=tuple(order),
        **options)).to(dtype)


def assert_same(first, other):
    """Two state dicts are alike bit for bit."""
    assert first.keys() == other.keys()
    for name in first:
        torch.testing.assert_close(first[name], other[name], rtol=0, atol=0, equal_nan=True, msg=name)


def images(number, size=16):
    return [torch.randint(0, 256, (3, size, size), dtype=torch.uint8) for _ in range(number)]


def classification_batch(number=4):
    return dict(inputs=images(number), data_samples=[DataSample().set_gt_label(i % 3) for i in range(number)])


def detection_batch(number=2, size=16):
    samples = []
    for i in range(number):
        sample = DetDataSample(
            metainfo=dict(img_shape=(size, size), ori_shape=(size, size), scale_factor=(1., 1.), img_id=i))
        boxes = torch.tensor([[2.3, 1.9, 10.6, 9.8], [4.7, 6.2, 12.9, 15.1]]) - 1.1 * i
        sample.gt_instances = InstanceData(bboxes=boxes.clamp(0), labels=torch.tensor([i % 3, 2]))
        samples.append(sample)
    return dict(inputs=images(number, size), data_samples=samples)


def raw_batch(name):
    return detection_batch() if name.startswith('det') else classification_batch()


def stage_batches(model):
    """One raw batch per stage, with examples for a transfer."""
    batches = []
    transfer = getattr(model, 'transfer', None)
    for stage in model.active_stages():
        batch = dict(train=raw_batch(stage.task))
        if stage.index and transfer is not None and transfer.num_examples:
            half = transfer.num_examples // 2
            batch['examples'] = (images(half, 20), images(half, 16))
        batches.append(batch)
    return batches


def val_batches(model):
    active = {stage.task for stage in model.active_stages()}
    return {name: raw_batch(name) for name in model.order if name in active}


def optimisers(model, momentum=.9, architecture=dict(type='Adam', lr=.01, betas=(.5, .999)),  # noqa: B006
               encoder=None, head=None):
    """The optimisers of a search; ``encoder`` and ``head`` are options of their wrappers in place of the usual ones."""
    from imtnas_mm.engine.optim import SearchOptimWrapperConstructor
    return SearchOptimWrapperConstructor(
        dict(
            encoder=encoder or dict(optimizer=dict(type='SGD', lr=.05, momentum=momentum, weight_decay=3e-4)),
            head=head or dict(optimizer=dict(type='SGD', lr=.02, momentum=momentum)),
            architecture=dict(optimizer=dict(architecture))))(model)


def trace_steps(model, optim_wrapper):
    """A list that gets an entry whenever an optimiser steps: which, and the parameters that it moved, by their keys
    (the encoder weights' number, the head's task, the group of A)."""
    trace, before = [], {n: p.detach().clone() for n, p in model.named_parameters()}

    def note(part, optimizer):
        plain = optimizer.step

        def stepping(*args, **kwargs):
            before.update({n: p.detach().clone() for n, p in model.named_parameters()})
            plain(*args, **kwargs)
            moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
            trace.append((part, {n.split('.')[1 if part == 'head' else 2] for n in moved}))

        optimizer.step = stepping

    for part in ('encoder', 'head', 'architecture'):
        note(part, optim_wrapper[part].optimizer)
    return trace


def iterate(model, optim_wrapper, iteration=0, batches=None, val=None, architecture=True):
    """One iteration as the loop runs it; returns the figures."""
    model.start_iteration(iteration)
    figures = {}
    batches = stage_batches(model) if batches is None else batches
    for stage, batch in zip(model.active_stages(), batches, strict=True):
        figures.update(model.train_stage(stage, batch, optim_wrapper))
    if architecture:
        figures.update(model.update_architecture([val_batches(model) if val is None else val], optim_wrapper))
        figures.update(model.follow_architecture(optim_wrapper))
    model.step_weights(optim_wrapper)
    return figures
