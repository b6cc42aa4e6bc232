"""Replaces mmdet's compiled focal loss, which has no second derivative."""
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmdet.models.losses import focal_loss


@contextmanager
def plain_focal_loss(enabled: bool = True) -> Iterator[None]:
    """Inside, mmdet computes its focal loss in plain PyTorch instead of by mmcv's compiled function, as on GPUs."""
    if not enabled:
        yield
        return

    def sigmoid_focal_loss(pred, target, weight=None, gamma=2., alpha=.25, reduction='mean', avg_factor=None):
        if target.dim() == 1:
            num_classes = pred.size(1)
            target = torch.nn.functional.one_hot(target, num_classes + 1)[:, :num_classes]
        return focal_loss.py_sigmoid_focal_loss(pred, target, weight, gamma, alpha, reduction, avg_factor)

    compiled, focal_loss.sigmoid_focal_loss = focal_loss.sigmoid_focal_loss, sigmoid_focal_loss
    try:
        yield
    finally:
        focal_loss.sigmoid_focal_loss = compiled
