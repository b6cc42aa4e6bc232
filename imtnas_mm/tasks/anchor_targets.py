"""Targets of anchors, computed on the device while the host doesn't wait: mmdet's targets bit for bit."""
from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmdet.models.task_modules.assigners import MaxIoUAssigner
from torch import Tensor

IOU_EPS = 1e-6  # of mmdet's bbox_overlaps


class AnchorTargets(NamedTuple):
    """Targets of a batch of N images, one tensor per feature level l of A_l anchors.

    ``labels`` [N, A_l] (``num_classes`` is the background), ``label_weights``
    [N, A_l], ``bbox_targets`` and ``bbox_weights`` [N, A_l, 4]. ``positives``
    is the divisor of the losses, ``sum_n max(P_n, 1)`` with P_n positive
    anchors in image n, as an integer tensor without dimensions.
    """
    labels: list[Tensor]
    label_weights: list[Tensor]
    bbox_targets: list[Tensor]
    bbox_weights: list[Tensor]
    positives: Tensor


def area(boxes: Tensor) -> Tensor:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def intersections(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Common areas, boxes [G, 4] and anchors [A, 4] as ``x1, y1, x2, y2`` -> [G, A]."""
    sides = [(torch.minimum(boxes[:, None, high], anchors[None, :, high])
              - torch.maximum(boxes[:, None, low], anchors[None, :, low])).clamp_(min=0)
             for low, high in ((0, 2), (1, 3))]
    return sides[0].mul_(sides[1])


def ious(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Intersection over union, [G, 4] and [A, 4] -> [G, A]."""
    common = intersections(boxes, anchors)
    union = (area(boxes)[:, None] + area(anchors)).sub_(common).clamp_(min=IOU_EPS)
    return common.div_(union)


def covered_shares(ignored: Tensor, anchors: Tensor, of_anchors: bool) -> Tensor:
    """The largest share of an anchor that lies in one ignored box, or of an ignored box that lies in the anchor.

    Args:
        ignored (Tensor): [I, 4], I > 0.
        anchors (Tensor): [A, 4].
        of_anchors (bool): whether the anchor's area is the divisor.

    Returns:
        Tensor: [A].
    """
    divisor = area(anchors)[None] if of_anchors else area(ignored)[:, None]
    return intersections(ignored, anchors).div_(divisor.clamp(min=IOU_EPS)).amax(0)


def assign(boxes: Tensor, ignored: Tensor | None, anchors: Tensor, inside: Tensor | None,
           rule: MaxIoUAssigner) -> Tensor:
    """The box of each anchor: ``MaxIoUAssigner.assign`` without its loop over the boxes.

    An anchor is background where its largest IoU is below the negative
    threshold. It takes the box of this IoU where it reaches the positive
    threshold. Then each box takes the anchors that fit it best
    (``match_low_quality``); the last box takes an anchor that several want.

    Args:
        boxes (Tensor): [G, 4].
        ignored (Tensor, optional): boxes whose anchors get no target, [I, 4].
        anchors (Tensor): [A, 4].
        inside (Tensor, optional): flags of valid anchors, [A]; ``None`` for all.
        rule (MaxIoUAssigner): the thresholds.

    Returns:
        Tensor: integers [A]: -1 for no target, 0 for background, g + 1 for box
        g; undefined where an anchor is not valid.
    """
    if not len(boxes):
        return torch.zeros(len(anchors), dtype=torch.long, device=anchors.device)
    overlaps = ious(boxes, anchors)
    if rule.ignore_iof_thr > 0 and ignored is not None and len(ignored):
        covered = covered_shares(ignored, anchors, rule.ignore_wrt_candidates)
        overlaps.masked_fill_(covered > rule.ignore_iof_thr, -1)
    if inside is not None:
        overlaps.masked_fill_(~inside, -torch.inf)
    of_anchor, box_of_anchor = overlaps.max(0)
    of_box, anchor_of_box = overlaps.max(1)
    assigned = torch.full_like(box_of_anchor, -1)
    negative = rule.neg_iou_thr
    if isinstance(negative, float):
        negative = (0, negative)
    if isinstance(negative, tuple):  # thresholds of other types give no background, as in mmdet
        low, high = negative
        assigned.masked_fill_((of_anchor >= low) & (of_anchor < high), 0)
    assigned = torch.where(of_anchor >= rule.pos_iou_thr, box_of_anchor + 1, assigned)
    if rule.match_low_quality:
        numbers = torch.arange(1, len(boxes) + 1, dtype=torch.int32, device=anchors.device)
        numbers = numbers * (of_box >= rule.min_pos_iou)
        if rule.gt_max_assign_all:
            last = (numbers[:, None] * (overlaps == of_box[:, None])).amax(0)
        else:
            last = torch.zeros(len(anchors), dtype=torch.int32, device=anchors.device)
            last.scatter_reduce_(0, anchor_of_box, numbers, 'amax')
        assigned = torch.where(last > 0, last.long(), assigned)
    return assigned


def encode(anchors: Tensor, boxes: Tensor, means: Tensor, stds: Tensor) -> Tensor:
    """``DeltaXYWHBBoxCoder.encode``: shifts divided by the anchor's size, and logarithms of size ratios; normalised.

    Args:
        anchors (Tensor): [A, 4].
        boxes (Tensor): [N, A, 4].
        means, stds (Tensor): [4], on the anchors' device.

    Returns:
        Tensor: [N, A, 4].
    """
    anchors, boxes = anchors.float(), boxes.float()

    def centre_and_size(corners: Tensor, low: int, high: int) -> tuple[Tensor, Tensor]:
        return (corners[..., low] + corners[..., high]) * .5, corners[..., high] - corners[..., low]

    (px, pw), (py, ph) = centre_and_size(anchors, 0, 2), centre_and_size(anchors, 1, 3)
    (gx, gw), (gy, gh) = centre_and_size(boxes, 0, 2), centre_and_size(boxes, 1, 3)
    deltas = torch.stack([(gx - px) / pw, (gy - py) / ph, torch.log(gw / pw), torch.log(gh / ph)], -1)
    return deltas.sub_(means).div_(stds)


def targets_of(assigned: Sequence[Tensor], inside: Sequence[Tensor | None], boxes: Sequence[Tensor],
               labels: Sequence[Tensor], anchors: Tensor, levels: Sequence[int], num_classes: int, pos_weight: float,
               means: Tensor, stds: Tensor) -> AnchorTargets:
    """Targets of a batch from its assignments.

    Args:
        assigned (list[Tensor]): of :func:`assign`, [A] per image.
        inside (list[Tensor or None]): flags of valid anchors, [A] per image.
        boxes (list[Tensor]): [G_n, 4] per image.
        labels (list[Tensor]): [G_n] per image.
        anchors (Tensor): [A, 4].
        levels (list[int]): the anchors A_l of each level; their sum is A.
        num_classes (int): also the label of the background.
        pos_weight (float): weight of labels of positive anchors; 0 or less means 1.
        means, stds (Tensor): of :func:`encode`.

    Returns:
        AnchorTargets
    """
    first = [0]
    for image_boxes in boxes:
        first.append(first[-1] + len(image_boxes))
    chosen = torch.stack([a - 1 + offset for a, offset in zip(assigned, first, strict=False)])
    boxes_of_anchors = torch.stack(list(assigned))
    positive, weighted = boxes_of_anchors > 0, boxes_of_anchors >= 0
    if any(flags is not None for flags in inside):
        everywhere = torch.ones_like(positive[0])
        part = torch.stack([everywhere if flags is None else flags for flags in inside])
        positive, weighted = positive & part, weighted & part
    label_weights = weighted.float()
    if pos_weight > 0:
        label_weights = label_weights.masked_fill(positive, pos_weight)
    if first[-1]:
        chosen = chosen.masked_fill(~positive, 0)
        named = torch.cat(list(labels))[chosen].long().masked_fill(~positive, num_classes)
        deltas = encode(anchors, torch.cat(list(boxes))[chosen], means, stds).masked_fill(~positive[..., None], 0)
    else:
        named = torch.full_like(boxes_of_anchors, num_classes)
        deltas = anchors.new_zeros(*boxes_of_anchors.shape, 4)
    weights = positive[..., None].expand_as(deltas).to(deltas.dtype)
    by_level = [[part.contiguous() for part in whole.split(list(levels), 1)]
                for whole in (named, label_weights, deltas, weights)]
    labels_of, label_weights_of, deltas_of, weights_of = by_level
    return AnchorTargets(labels_of, label_weights_of, deltas_of, weights_of, positive.sum(1).clamp(min=1).sum())
