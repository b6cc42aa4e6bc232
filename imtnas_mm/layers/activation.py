"""A ReLU6 that is kept once and masks its gradients alone.

PyTorch's keeps a copy of what it overwrites in place, and hands a map of zeros
to its input in the double backward. The mask is the output's: ``0 < y < 6``.
"""
import torch
from torch import nn

from ..compat import hardtanh_backward
from ..registry import MODELS


def _masked(grad, y):
    return hardtanh_backward(grad, y, 0., 6.)


class _ReLU6(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x):
        y = nn.functional.relu6(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        # the mask doesn't move with x, so that no derivative goes through it
        return _Masked.apply(grad, ctx.saved_tensors[0].detach())


class _Masked(torch.autograd.Function):
    """Linear in the gradient and symmetric: its derivative is itself."""

    @staticmethod
    def forward(ctx, grad, y):
        ctx.save_for_backward(y)
        return _masked(grad, y)

    @staticmethod
    def backward(ctx, grad):
        return _Masked.apply(grad, ctx.saved_tensors[0]), None


@MODELS.register_module(name=['TwiceDifferentiableReLU6', 'TwiceReLU6'])  # configs may have either name
class TwiceDifferentiableReLU6(nn.ReLU6):
    """``nn.ReLU6`` to be differentiated any number of times. ``inplace`` counts where no gradient is wanted."""

    def forward(self, input):
        return _ReLU6.apply(input) if input.requires_grad and torch.is_grad_enabled() else super().forward(input)


def twice_differentiable_act_cfg(act_cfg):
    """``act_cfg`` with :class:`TwiceDifferentiableReLU6` for ReLU6."""
    is_relu6 = act_cfg is not None and act_cfg['type'] == 'ReLU6'
    return dict(act_cfg, type='imtnas_mm.TwiceDifferentiableReLU6') if is_relu6 else act_cfg
