"""mmdet's focal loss where a search needs more of it than its compiled function can do."""
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmdet.models.losses import focal_loss


@contextmanager
def plain_focal_loss(enabled: bool = True) -> Iterator[None]:
    """mmdet's focal loss in plain PyTorch: the compiled one of mmcv, used on GPUs, has no second derivative."""
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
