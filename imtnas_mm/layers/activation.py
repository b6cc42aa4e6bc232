"""ReLU and ReLU6 with cheap second derivatives: they store one map and add no zeros in the double backward.

PyTorch's in-place ReLU6 keeps a copy of its input, and both pass a map of zeros to their
input in the double backward. Here the output gives the mask: ``0 < y``, and ``0 < y < 6``.
"""
import torch
from torch import nn

from ..compat import hardtanh_backward, threshold_backward
from ..registry import MODELS


class _Rectified(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, function, masked):
        y = function(x)
        ctx.save_for_backward(y)
        ctx.masked = masked
        return y

    @staticmethod
    def backward(ctx, grad):
        # the mask is constant in x: no derivative goes through it
        return _Masked.apply(grad, ctx.saved_tensors[0].detach(), ctx.masked), None, None


class _Masked(torch.autograd.Function):
    """Linear in the gradient and symmetric, so it is its own derivative."""

    @staticmethod
    def forward(ctx, grad, y, masked):
        ctx.save_for_backward(y)
        ctx.masked = masked
        return masked(grad, y)

    @staticmethod
    def backward(ctx, grad):
        return _Masked.apply(grad, ctx.saved_tensors[0], ctx.masked), None, None


def _masked_by_relu(grad, y):
    return threshold_backward(grad, y, 0)


def _masked_by_relu6(grad, y):
    return hardtanh_backward(grad, y, 0., 6.)


def relu(x):
    """``max(x, 0)``, to be differentiated any number of times."""
    return _Rectified.apply(x, torch.relu, _masked_by_relu) if x.requires_grad and torch.is_grad_enabled() else x.relu()


@MODELS.register_module(name=['TwiceDifferentiableReLU6', 'TwiceReLU6'])  # configs may have either name
class TwiceDifferentiableReLU6(nn.ReLU6):
    """``nn.ReLU6`` to be differentiated any number of times. ``inplace`` has an effect without gradients alone."""

    def forward(self, input):
        if not input.requires_grad or not torch.is_grad_enabled():
            return super().forward(input)
        return _Rectified.apply(input, nn.functional.relu6, _masked_by_relu6)


def twice_differentiable_act_cfg(act_cfg: dict | None) -> dict | None:
    """``act_cfg`` with ReLU6 replaced by :class:`TwiceDifferentiableReLU6`."""
    if act_cfg is None or act_cfg['type'] != 'ReLU6':
        return act_cfg
    return dict(act_cfg, type='imtnas_mm.TwiceDifferentiableReLU6')
