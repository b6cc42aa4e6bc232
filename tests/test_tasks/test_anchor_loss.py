"""Targets of anchors against mmdet's own, and the loss that takes them."""
import copy
import gc
import itertools
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.models.dense_heads import RetinaHead
from mmdet.models.losses import L1Loss, SmoothL1Loss
from mmdet.registry import MODELS as DET_MODELS
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from helpers.host_reads import HostRead, no_host_reads
from helpers.small_search import DETECTOR, SPACE, TASKS, build, detection_batch, iterate, optimisers
from imtnas_mm.registry import MODELS
from imtnas_mm.tasks.anchor_loss import AnchorLoss, why_not

STRIDES = (4, 8)


def build_head(border=-1, pos_weight=-1, coder=None, **assigner):
    """A RetinaHead of two levels, 3 anchors per cell."""
    train_cfg = dict(copy.deepcopy(DETECTOR['train_cfg']), allowed_border=border, pos_weight=pos_weight)
    train_cfg['assigner'].update(assigner)
    head = dict(DETECTOR['bbox_head'], type='mmdet.RetinaHead', train_cfg=train_cfg, bbox_coder=dict(
        type='mmdet.DeltaXYWHBBoxCoder', **(coder or {})), anchor_generator=dict(
        type='mmdet.AnchorGenerator', octave_base_scale=2, scales_per_octave=1, ratios=[.5, 1., 2.],
        strides=list(STRIDES)))
    train_cfg['assigner']['type'] = 'mmdet.MaxIoUAssigner'
    train_cfg['sampler']['type'] = 'mmdet.PseudoSampler'
    for loss in ('loss_cls', 'loss_bbox'):
        head[loss] = dict(head[loss], type=f'mmdet.{head[loss]["type"]}')
    return DET_MODELS.build(ConfigDict(head))


def boxes_of(generator, number, size, grid):
    """Random boxes; on a grid of ``grid`` pixels many of them and of the anchors overlap alike."""
    corners = torch.rand(number, 2, generator=generator) * size * .9
    sides = torch.rand(number, 2, generator=generator) ** 2 * size * .8 + 1
    boxes = torch.cat([corners, corners + sides], 1)
    return (boxes / grid).round() * grid if grid else boxes


def scene(seed, numbers, ignored=(), size=32, pads=None, images=None, grid=0):
    """(instances, ignored instances, metas) of a batch padded to ``size``."""
    generator = torch.Generator().manual_seed(seed)
    instances, left_out, metas = [], [], []
    for i, number in enumerate(numbers):
        instances.append(InstanceData(bboxes=boxes_of(generator, number, size, grid),
                                      labels=torch.randint(3, (number, ), generator=generator)))
        count = ignored[i] if i < len(ignored) else None
        left_out.append(None if count is None else InstanceData(bboxes=boxes_of(generator, count, size, grid)))
        pad = pads[i] if pads else (size, size)
        metas.append(dict(pad_shape=pad, img_shape=images[i] if images else pad))
    return instances, left_out, metas


def maps(size=32, device='cpu', number=1):
    return [torch.zeros(number, 9, size // stride, size // stride, device=device) for stride in STRIDES]


def mmdets_own(head, sizes, instances, left_out, metas):
    anchors, flags = head.get_anchors(sizes, metas, device='cpu')
    return head.get_targets(anchors, flags, instances, metas, batch_gt_instances_ignore=left_out)


def assert_as_mmdet(head, instances, left_out, metas, size=32):
    scores = maps(size)
    actual = AnchorLoss(head).targets(scores, instances, metas, left_out)
    expected = mmdets_own(head, [score.shape[-2:] for score in scores], instances, left_out, metas)
    names = ('labels', 'label_weights', 'bbox_targets', 'bbox_weights')
    for name, parts in zip(names, expected, strict=False):
        for level, (value, right) in enumerate(zip(getattr(actual, name), parts, strict=True)):
            assert value.dtype == right.dtype and value.shape == right.shape
            assert torch.equal(value, right), f'{name}, level {level}'
    assert actual.positives.dim() == 0 and actual.positives.item() == expected[-1]
    return actual


RULES = dict(
    retina=dict(),
    one_threshold=dict(pos_iou_thr=.5, neg_iou_thr=.5),
    band=dict(neg_iou_thr=(.1, .4)),
    integer=dict(neg_iou_thr=1),
    minimum=dict(min_pos_iou=.35),
    negative_minimum=dict(min_pos_iou=-2.),
    best_one=dict(gt_max_assign_all=False),
    best_one_of_enough=dict(gt_max_assign_all=False, min_pos_iou=.3),
    no_low_quality=dict(match_low_quality=False),
    ignoring=dict(ignore_iof_thr=.4),
    ignoring_by_box=dict(ignore_iof_thr=.3, ignore_wrt_candidates=False),
    ignoring_low_quality=dict(ignore_iof_thr=.1, min_pos_iou=-2.))


@pytest.mark.parametrize('rule', RULES)
@pytest.mark.parametrize('border', [-1, 0, 6])
def test_targets_are_mmdets(rule, border):
    head = build_head(border, **RULES[rule])
    positives = 0
    for seed, grid in itertools.product(range(5), (0, 2, 4)):
        batch = scene(seed, (seed, 0, 3, 7), (2, None, 0, 1), grid=grid, pads=[(32, 32), (24, 32), (17, 32), (32, 9)],
                      images=[(32, 32), (24, 30), (17, 31), (32, 9)] if border < 9 else None)
        try:
            expected = mmdets_own(head, [score.shape[-2:] for score in maps()], *batch)
        except ValueError as error:
            with pytest.raises(ValueError, match='^' + str(error)[:48]):
                assert_as_mmdet(head, *batch)
            continue
        assert_as_mmdet(head, *batch)
        positives += expected[-1]
    assert positives > 40


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31), numbers=st.lists(st.integers(0, 9), min_size=1, max_size=3),
    ignored=st.lists(st.sampled_from([None, 0, 1, 4]), max_size=3), grid=st.sampled_from([0, 1, 4, 8]),
    rule=st.sampled_from(list(RULES)), border=st.sampled_from([-1, 0, 3]), pos_weight=st.sampled_from([-1, 0, 2.5]),
    pads=st.lists(st.tuples(st.integers(12, 40), st.integers(12, 40)), min_size=3, max_size=3))
def test_targets_of_random_batches_are_mmdets(seed, numbers, ignored, grid, rule, border, pos_weight, pads):
    head = build_head(border, pos_weight, **RULES[rule])
    batch = scene(seed, numbers, ignored, grid=grid, pads=pads)
    assert_as_mmdet(head, *batch)


def test_the_last_of_several_boxes_gets_an_anchor():
    head = build_head()
    instances, left_out, metas = scene(0, (3, ))
    instances[0].bboxes = torch.tensor([[1., 1., 9., 9.], [1., 1., 9., 9.], [20., 20., 28., 28.]])
    instances[0].labels = torch.tensor([0, 1, 2])
    actual = assert_as_mmdet(head, instances, left_out, metas)
    anchors = torch.cat(head.prior_generator.grid_priors([(8, 8), (4, 4)], device='cpu'))
    overlaps = head.assigner.iou_calculator(instances[0].bboxes, anchors)
    best = overlaps[0] == overlaps[0].max()
    assert (torch.cat(actual.labels, 1)[0][best] == 1).all()
    assert (torch.cat(actual.labels, 1)[0][~best & (overlaps[0] >= .5)] == 0).all()


def test_targets_of_images_without_boxes_are_background():
    actual = assert_as_mmdet(build_head(), *scene(0, (0, 0)))
    assert (torch.cat(actual.labels, 1) == 3).all() and actual.positives == 2
    assert not torch.cat(actual.bbox_weights, 1).any() and torch.cat(actual.label_weights, 1).all()


def test_targets_are_encoded_with_the_coders_numbers():
    head = build_head(coder=dict(target_means=[.1, 0., -.2, .3], target_stds=[.1, .1, .2, .3]))
    assert_as_mmdet(head, *scene(3, (5, 6)))


def test_an_image_in_which_no_anchor_lies_is_refused():
    head = build_head(border=0)
    batch = scene(0, (2, ), images=[(3, 3)])
    with pytest.raises(ValueError, match='There is no valid anchor inside the image boundary'):
        mmdets_own(head, [score.shape[-2:] for score in maps()], *batch)
    with pytest.raises(ValueError, match='There is no valid anchor inside the image boundary'):
        assert_as_mmdet(head, *batch)


def test_targets_on_a_device_read_nothing_of_it():
    """Meta tensors have no values at all."""
    for rule, border in itertools.product(RULES, (-1, 0)):
        head = build_head(border, **RULES[rule])
        batch = scene(1, (4, 0), (2, ), pads=[(32, 32), (20, 28)])
        expected = AnchorLoss(head).targets(maps(), *batch[::2], batch[1])
        moved = [[None if tensor is None else tensor.to('meta') for tensor in part] for part in batch[:2]]
        actual = AnchorLoss(head).targets(maps(device='meta'), moved[0], batch[2], moved[1])
        for name in expected._fields[:4]:
            for value, right in zip(getattr(actual, name), getattr(expected, name), strict=True):
                assert value.is_meta and (value.shape, value.dtype) == (right.shape, right.dtype)


# --- in a task ---


def build_task(**changes):
    return MODELS.build(dict(copy.deepcopy(TASKS['det']), search_space=SPACE, **changes))


def as_mmdet(task):
    """The task with mmdet's own targets and loss of boxes."""
    task = copy.deepcopy(task)
    head = task.template.bbox_head
    del head.loss_by_feat
    loss = head.loss_bbox
    head.loss_bbox = L1Loss(loss.reduction, loss.loss_weight) if isinstance(loss, L1Loss) else \
        SmoothL1Loss(loss.beta, loss.reduction, loss.loss_weight)
    return task


def counted(task):
    return task.template.bbox_head.loss_by_feat


def arguments(task, dtype=torch.float64, device='cpu'):
    """(encoder, gates, head) to compute a loss with."""
    generator = torch.Generator().manual_seed(4)
    encoder = task.layout.offset + task.layout.scale * torch.randn(task.layout.size, generator=generator)
    gates = {f'gates.{n}': torch.full(s, 1 / s[-1], dtype=dtype, device=device)
             for n, s in task.space.alpha_shapes().items()}
    head = {n: t.detach().clone() for n, t in task.build_head().tensors().items()}
    for name, tensor in head.items():
        if tensor.is_floating_point():
            head[name] = (tensor + .1 * torch.rand(tensor.shape, generator=generator)).to(device, dtype)
    return encoder.to(device, dtype), gates, head


def loss_and_gradients(task, values, data):
    encoder, gates, head = values
    inputs = [encoder, *gates.values(), *(t for t in head.values() if t.is_floating_point())]
    for tensor in inputs:
        tensor.requires_grad_()
    loss, figures = task.loss(encoder, gates, head, data)
    first = torch.autograd.grad(loss, inputs, create_graph=True)
    second = torch.autograd.grad(sum((g * g).sum() for g in first), inputs, allow_unused=True, materialize_grads=True)
    return [loss.detach(), *(figures[name].detach() for name in sorted(figures)), *first, *second]


LOSSES = [dict(type='L1Loss', loss_weight=.7), dict(type='SmoothL1Loss', beta=.11)]


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
@pytest.mark.parametrize('loss', LOSSES, ids=['l1', 'smooth_l1'])
def test_loss_and_derivatives_are_the_same_as_with_mmdets_targets(loss, dtype):
    task = build_task(model=dict(DETECTOR, bbox_head=dict(DETECTOR['bbox_head'], loss_bbox=loss)))
    by_mmdet = as_mmdet(task)
    for seed in range(3):
        torch.manual_seed(seed)
        batch = detection_batch(3)
        for sample in batch['data_samples'][seed:]:  # the first time no image has a box
            sample.gt_instances = sample.gt_instances[:0]
        data = task.preprocess(batch, True)
        data['inputs'] = data['inputs'].to(dtype)
        actual = loss_and_gradients(task, arguments(task, dtype), data)
        expected = loss_and_gradients(by_mmdet, arguments(task, dtype), data)
        assert actual[0] > 0 and any(part.any() for part in actual[-5:])
        for value, other in zip(actual, expected, strict=True):
            assert value.dtype == other.dtype and torch.equal(value, other)


def test_loss_in_mixed_precision_is_the_same_as_with_mmdets_targets():
    task = build_task()
    by_mmdet = as_mmdet(task)
    data = task.preprocess(detection_batch(), True)
    actual, expected = [], []
    for values, each in ((actual, task), (expected, by_mmdet)):
        with torch.autocast('cpu', torch.bfloat16):
            encoder, gates, head = arguments(each, torch.float32)
            loss, figures = each.loss(encoder.requires_grad_(), gates, head, data)
        values += [loss.detach(), *figures.values(), *torch.autograd.grad(loss, [encoder])]
    for value, other in zip(actual, expected, strict=True):
        assert value.dtype == other.dtype and torch.equal(value, other)


def test_the_targets_of_a_batch_are_computed_once():
    task = build_task()
    data, other = (task.preprocess(detection_batch(), True) for _ in range(2))
    values = arguments(task, torch.float32)
    losses = [task.loss(*values, data)[0].item() for _ in range(3)]
    assert counted(task).computed == 1 and len(set(losses)) == 1
    task.loss(*values, other)
    assert counted(task).computed == 2
    task.loss(*values, dict(data))
    assert counted(task).computed == 2


@pytest.mark.parametrize('hypergradient', ['exact', 'finite_difference'])
def test_a_search_computes_the_targets_of_each_batch_once(hypergradient):
    model = build(('cls', 'det'), 2, hypergradient=hypergradient, arch_steps=2)
    wrapper = optimisers(model)
    for iteration in range(2):
        iterate(model, wrapper, iteration)
        assert counted(model.tasks['det']).computed == 3 * (iteration + 1)  # two stages, and one batch for A


def test_targets_are_computed_anew_for_other_sizes_and_boxes():
    task = build_task()
    by_mmdet = as_mmdet(task)
    data = task.preprocess(detection_batch(size=32), True)
    values = arguments(task, torch.float32)
    first = data['data_samples'][0].gt_instances

    def check(computed):
        assert task.loss(*values, data)[0].item() == by_mmdet.loss(*values, data)[0].item()
        assert counted(task).computed == computed
        return by_mmdet.loss(*values, data)[0].item()

    plain = check(1)
    large = data['inputs']
    data['inputs'] = large[..., :24, :24]
    check(2)
    data['inputs'] = large
    assert check(2) == plain  # both sizes are remembered
    data['data_samples'][1].gt_instances.bboxes[0] += 5
    assert check(3) != plain
    first.labels = (first.labels + 1) % 3
    check(4)
    data['data_samples'][0].set_metainfo(dict(pad_shape=(16, 16)))
    check(5)
    data['data_samples'][1].ignored_instances = InstanceData(bboxes=torch.rand(1, 4))
    check(6)


def test_targets_go_with_their_batch():
    task = build_task()
    values = arguments(task, torch.float32)
    for _ in range(3):
        data = task.preprocess(detection_batch(), True)
        task.loss(*values, data)
    assert len(counted(task).known) == 1
    del data
    gc.collect()
    assert len(counted(task).known) == 0


def test_few_grids_are_kept():
    loss = AnchorLoss(build_head())
    for size in range(32, 32 + 8 * 20, 8):
        loss.targets(maps(size), *scene(0, (1, ), size=size)[::2])
    assert len(loss.grids.grids) == loss.grids.grids.size == 8


def test_a_copied_task_computes_for_itself():
    task = build_task()
    data = task.preprocess(detection_batch(), True)
    values = arguments(task, torch.float32)
    expected, _ = task.loss(*values, data)
    other = copy.deepcopy(task)
    assert counted(other) is not counted(task) and counted(other).head is other.template.bbox_head
    assert other.loss(*values, data)[0] == expected and counted(other).computed == 2


def test_a_loss_on_a_device_reads_nothing_of_it(monkeypatch):
    """Meta tensors have no values at all; mmdet's by_mmdet targets fail on them."""
    monkeypatch.setattr(torch, 'is_autocast_enabled', lambda kind: False)  # it doesn't know of their device
    task = build_task()
    data = task.preprocess(detection_batch(), True)
    data = dict(inputs=data['inputs'].to('meta'), data_samples=[s.to('meta') for s in data['data_samples']])
    values = arguments(task, torch.float32, 'meta')
    assert all(part.is_meta for part in loss_and_gradients(task, values, data))
    with pytest.raises((NotImplementedError, RuntimeError), match='meta|Meta'):
        loss_and_gradients(as_mmdet(task), values, data)


def test_a_loss_reads_nothing():
    task = build_task()
    by_mmdet = as_mmdet(task)
    data = task.preprocess(detection_batch(), True)
    values = arguments(task)
    data['inputs'] = data['inputs'].double()
    with no_host_reads():
        loss_and_gradients(task, values, data)
    with pytest.raises(HostRead), no_host_reads():
        loss_and_gradients(by_mmdet, values, data)


# --- which heads ---


def test_what_is_left_to_mmdet_is_named():
    class OwnHead(RetinaHead):

        def get_anchors(self, *args, **kwargs):
            return super().get_anchors(*args, **kwargs)

    DET_MODELS.register_module(module=OwnHead, name='OwnHead', force=True)
    plain = copy.deepcopy(DETECTOR)
    assert why_not(build_task(model=copy.deepcopy(plain)).template) is None

    def reason(head=None, **train):
        model = copy.deepcopy(plain)
        model['bbox_head'].update(head or {})
        for name, values in train.items():
            model['train_cfg'][name] = values if 'type' in values else dict(model['train_cfg'][name], **values)
        task = build_task(model=model)
        assert 'loss_by_feat' not in vars(task.template.bbox_head)
        return why_not(task.template)

    assert reason(dict(type='OwnHead')) == 'bbox_head is OwnHead, with get_anchors of its own'
    assert 'ATSSHead, with' in reason(dict(type='ATSSHead', norm_cfg=None, loss_centerness=dict(
        type='CrossEntropyLoss', use_sigmoid=True)), assigner=dict(type='ATSSAssigner', topk=9))
    assert 'assigner is ' in reason(
        assigner=dict(type='GridAssigner', pos_iou_thr=.5, neg_iou_thr=.4))
    assert 'sampler is RandomSampler' in reason(
        sampler=dict(type='RandomSampler', num=256, pos_fraction=.5, add_gt_as_proposals=False))
    model = copy.deepcopy(plain)
    del model['train_cfg']['allowed_border']
    assert why_not(build_task(model=model).template) == 'model.train_cfg.allowed_border is missing'
    assert reason(dict(reg_decoded_bbox=True)) == 'bbox_head.reg_decoded_bbox=True'
    assert reason(assigner=dict(gpu_assign_thr=50)) == 'assigner.gpu_assign_thr=50 assigns on the CPU'
    assert 'perm_repeat_gt_cfg' in reason(assigner=dict(perm_repeat_gt_cfg=dict(iou_thr=.7)))
    assert 'BboxOverlaps2D' in reason(assigner=dict(iou_calculator=dict(type='BboxOverlaps2D', dtype='fp16')))


def test_heads_of_other_kinds_learn_as_before(monkeypatch):
    fcos = dict(
        type='FCOSHead', num_classes=3, in_channels=8, stacked_convs=1, feat_channels=8, strides=[2, 4],
        regress_ranges=((-1, 8), (8, 1e8)), norm_cfg=None,
        loss_cls=dict(type='FocalLoss', use_sigmoid=True), loss_bbox=dict(type='IoULoss'),
        loss_centerness=dict(type='CrossEntropyLoss', use_sigmoid=True))
    lines = []
    monkeypatch.setattr('imtnas_mm.tasks.detection.print_log', lambda line, *_: lines.append(line))
    build_task()
    assert not lines
    task = build_task(model=dict(DETECTOR, type='FCOS', bbox_head=fcos, train_cfg=None))
    line, = lines
    assert re.match(r'FCOS: mmdet computes the targets of its anchors .*\(bbox_head is FCOSHead, no AnchorHead\)', line)
    loss, figures = task.loss(*arguments(task, torch.float32), task.preprocess(detection_batch(), True))
    assert loss > 0 and {'loss_cls', 'loss_bbox', 'loss_centerness'} <= set(figures)
