"""The loss of mmdet's anchor heads, with targets computed on the device and once per batch."""
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import AnchorHead
from mmdet.models.detectors import SingleStageDetector
from mmdet.models.task_modules.assigners import BboxOverlaps2D, MaxIoUAssigner
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from mmdet.models.task_modules.samplers import PseudoSampler
from mmdet.models.utils import multi_apply
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor, nn

from ..compat.tensors import version_of
from ..recent import Recent
from .anchor_grid import AnchorGrids, Sizes
from .anchor_targets import AnchorTargets, assign, targets_of

State = list[tuple[Tensor | None, int | None]]  # tensors, and how often each was changed in place
Metas = Sequence[Mapping[str, Any]]  # of each image

METHODS = ('loss', 'loss_by_feat', 'loss_by_feat_single', 'get_targets', '_get_targets_single', 'get_anchors')
PLAIN_CLASSES = dict(
    assigner=MaxIoUAssigner, sampler=PseudoSampler, prior_generator=AnchorGenerator, bbox_coder=DeltaXYWHBBoxCoder)


def why_not(model: nn.Module) -> str | None:
    """Why mmdet has to compute the targets of a detector, in a few words; ``None`` if :class:`AnchorLoss` can.

    :class:`AnchorLoss` follows mmdet's methods where targets depend on boxes
    and anchors alone. Parts of other classes, and classes that override a
    method, may compute other targets.
    """
    if getattr(type(model), 'loss', None) is not SingleStageDetector.loss:
        return f'{type(model).__name__} is no single-stage detector'
    head: Any = model.bbox_head
    if not isinstance(head, AnchorHead):
        return f'bbox_head is {type(head).__name__}, no AnchorHead'
    for name in METHODS:
        if getattr(type(head), name) is not getattr(AnchorHead, name):
            return f'bbox_head is {type(head).__name__}, with {name} of its own'
    for name, kind in PLAIN_CLASSES.items():
        part = getattr(head, name, None)
        if type(part) is not kind:
            return f'its {name} is {type(part).__name__}, not {kind.__name__}'
    settings: Any = head.train_cfg
    for name in ('allowed_border', 'pos_weight'):
        if name not in settings:
            return f'model.train_cfg.{name} is missing'
    calculator = head.assigner.iou_calculator
    if type(calculator) is not BboxOverlaps2D or calculator.dtype is not None:
        return 'assigner.iou_calculator is not the plain BboxOverlaps2D'
    if head.assigner.gpu_assign_thr > 0:
        return f'assigner.gpu_assign_thr={head.assigner.gpu_assign_thr} assigns on the CPU'
    if head.assigner.perm_repeat_gt_cfg is not None:
        return 'assigner.perm_repeat_gt_cfg moves boxes at random'
    if head.reg_decoded_bbox:
        return 'bbox_head.reg_decoded_bbox=True'
    if head.prior_generator.use_box_type:
        return 'bbox_head.anchor_generator.use_box_type=True'
    return None


class AnchorLoss:
    """``AnchorHead.loss_by_feat`` with targets that are computed once per batch, while the host doesn't wait.

    The ``gt_instances`` of its first image identify a batch. Its targets live
    as long as they do. They are computed again when a box or label tensor was
    replaced or changed in place, or when sizes of images or feature maps differ.

    The number of positive anchors stays a tensor, in the losses' precision.

    Args:
        head (AnchorHead): of a model for which :func:`why_not` returns ``None``.
    """
    sizes_kept = 4  # of images and feature maps, per batch

    def __init__(self, head: Any) -> None:
        self.head = head
        self.grids = AnchorGrids(head.prior_generator, head.train_cfg['allowed_border'])
        self.constants: Recent[list[Tensor]] = Recent(2)
        self.known = weakref.WeakKeyDictionary()
        self.computed = 0  # how often targets were computed

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__, known=weakref.WeakKeyDictionary())

    def __call__(self, cls_scores: Sequence[Tensor], bbox_preds: Sequence[Tensor], batch_gt_instances: Sequence[Any],
                 batch_img_metas: Metas, batch_gt_instances_ignore: Sequence[Any] | None = None
                 ) -> dict[str, list[Tensor]]:
        """Arguments and result of ``AnchorHead.loss_by_feat``."""
        targets = self.targets(cls_scores, batch_gt_instances, batch_img_metas, batch_gt_instances_ignore)
        grid = self.grids.grid(map_sizes(cls_scores), cls_scores[0].device)
        anchors = [level.expand(len(batch_img_metas), -1, -1) for level in grid.anchors.split(grid.levels)]
        divisor = targets.positives.to(torch.promote_types(cls_scores[0].dtype, torch.float32))
        losses_cls, losses_bbox = multi_apply(
            self.head.loss_by_feat_single, cls_scores, bbox_preds, anchors, targets.labels, targets.label_weights,
            targets.bbox_targets, targets.bbox_weights, avg_factor=divisor)
        return dict(loss_cls=losses_cls, loss_bbox=losses_bbox)

    def targets(self, cls_scores: Sequence[Tensor], instances: Sequence[Any], metas: Metas,
                ignored: Sequence[Any] | None = None) -> AnchorTargets:
        """The :class:`AnchorTargets` of a batch, from memory if it was seen at these sizes.

        Args:
            cls_scores (list[Tensor]): one map per level, for size and device.
            instances, ignored (list[InstanceData]): of each image; an entry of
                ``ignored`` may be ``None``.
            metas (list[dict]): of each image.
        """
        left_alone = [None] * len(instances) if ignored is None else ignored
        sizes, device = map_sizes(cls_scores), cls_scores[0].device
        boxes = [get_box_tensor(image.bboxes) for image in instances]
        labels = [image.labels for image in instances]
        left_out = [None if image is None else get_box_tensor(image.bboxes) for image in left_alone]
        state = [(tensor, version(tensor)) for tensor in (*boxes, *labels, *left_out)]
        old, by_size = self.known.get(instances[0], (None, None))
        if old is None or not same(old, state):
            by_size = Recent(self.sizes_kept)
            self.known[instances[0]] = state, by_size
        shapes = tuple((tuple(meta['pad_shape'][:2]), tuple(meta['img_shape'][:2])) for meta in metas)
        return by_size.get_or_make(
            (sizes, shapes, device), lambda: self.compute(sizes, device, boxes, labels, metas, left_out))

    @torch.no_grad()
    def compute(self, sizes: Sizes, device: torch.device, boxes: list[Tensor], labels: list[Tensor], metas: Metas,
                left_out: list[Tensor | None]) -> AnchorTargets:
        self.computed += 1
        head = self.head
        means, stds = self.constants.get_or_make(
            device, lambda: [torch.tensor(values, device=device, dtype=torch.float32)
                             for values in (head.bbox_coder.means, head.bbox_coder.stds)])
        grid = self.grids.grid(sizes, device)
        inside = [self.grids.inside(grid, sizes, meta) for meta in metas]
        assigned = [assign(*image, head.assigner) for image in zip(
            boxes, left_out, [grid.anchors] * len(boxes), inside, strict=True)]
        return targets_of(assigned, inside, boxes, labels, grid.anchors, grid.levels, head.num_classes,
                          head.train_cfg['pos_weight'], means, stds)


def map_sizes(maps: Sequence[Tensor]) -> Sizes:
    """((height, width), ...) of feature maps."""
    return tuple(tuple(feature_map.shape[-2:]) for feature_map in maps)


def version(tensor: Tensor | None) -> int | None:
    """How often a tensor was changed in place, as PyTorch counts it."""
    return None if tensor is None else version_of(tensor)


def same(old: State, new: State) -> bool:
    """Whether two lists of (tensor, version) hold the same tensors, unchanged."""
    return len(old) == len(new) and all(a is b and v == w for (a, v), (b, w) in zip(old, new, strict=True))
