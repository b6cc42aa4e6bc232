"""mmdet's box losses without the check for positive anchors, for which the host waits at each feature level."""
from typing import Any

from mmdet.models.losses import L1Loss, SmoothL1Loss, l1_loss, smooth_l1_loss
from torch import Tensor, nn


class UnseenL1Loss(L1Loss):
    """``L1Loss`` by one formula for all batches; without a positive anchor it is a sum of zeros."""

    def forward(self, pred: Tensor, target: Tensor, weight: Tensor | None = None,
                avg_factor: int | Tensor | None = None, reduction_override: str | None = None) -> Tensor:
        return self.loss_weight * l1_loss(
            pred, target, weight, reduction=reduction_override or self.reduction, avg_factor=avg_factor)


class UnseenSmoothL1Loss(SmoothL1Loss):
    """``SmoothL1Loss`` by one formula for all batches."""

    def forward(self, pred: Tensor, target: Tensor, weight: Tensor | None = None,
                avg_factor: int | Tensor | None = None, reduction_override: str | None = None, **kwargs: Any) -> Tensor:
        return self.loss_weight * smooth_l1_loss(
            pred, target, weight, beta=self.beta, reduction=reduction_override or self.reduction,
            avg_factor=avg_factor, **kwargs)


def unseen(loss: nn.Module) -> nn.Module:
    """The loss module without the check; modules of other classes are returned unchanged."""
    if type(loss) is L1Loss:
        return UnseenL1Loss(loss.reduction, loss.loss_weight)
    if type(loss) is SmoothL1Loss:
        return UnseenSmoothL1Loss(loss.beta, loss.reduction, loss.loss_weight)
    return loss
