"""mmdet's losses of boxes without their look at whether any anchor is positive, which a GPU waits for at each level."""
from mmdet.models.losses import L1Loss, SmoothL1Loss, l1_loss, smooth_l1_loss


class UnseenL1Loss(L1Loss):
    """``L1Loss``; without a positive anchor it is a sum of zeros, too, by the same formula as with some."""

    def forward(self, pred, target, weight=None, avg_factor=None, reduction_override=None):
        return self.loss_weight * l1_loss(
            pred, target, weight, reduction=reduction_override or self.reduction, avg_factor=avg_factor)


class UnseenSmoothL1Loss(SmoothL1Loss):
    """``SmoothL1Loss``, likewise."""

    def forward(self, pred, target, weight=None, avg_factor=None, reduction_override=None, **kwargs):
        return self.loss_weight * smooth_l1_loss(
            pred, target, weight, beta=self.beta, reduction=reduction_override or self.reduction,
            avg_factor=avg_factor, **kwargs)


def unseen(loss):
    """The loss module that looks at no weights; modules of other classes are returned as they are."""
    if type(loss) is L1Loss:
        return UnseenL1Loss(loss.reduction, loss.loss_weight)
    if type(loss) is SmoothL1Loss:
        return UnseenSmoothL1Loss(loss.beta, loss.reduction, loss.loss_weight)
    return loss
