"""A convolution whose second derivative is as fast as its first.

PyTorch's double backward of a grouped convolution goes group by group: hundreds
of small convolutions for a depthwise one. Its terms are grouped convolutions
themselves. With ``y = conv(x, w)``, ``gx = dL/dx`` and ``gw = dL/dw`` as
functions of (gy, x, w), and ``u``, ``v`` the adjoints of gx and gw:

    adjoint of gy = conv(u, w) + conv(x, v)
    adjoint of x  = input gradient at (gy, v)
    adjoint of w  = weight gradient at (u, gy)
"""
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from ..registry import MODELS


def _gradients(grad, x, weight, options, mask):
    """(dL/dx, dL/dw), each where ``mask`` asks for it."""
    stride, padding, dilation, groups = options
    found = torch.ops.aten.convolution_backward(grad, x, weight, None, stride, padding, dilation, False, [0, 0], groups,
                                                [*mask, False])
    return found[0], found[1]


class _Convolution(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, weight, options):
        ctx.save_for_backward(x, weight)
        ctx.options = options
        return F.conv2d(x, weight, None, *options)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        return *_ConvolutionGradients.apply(grad, x, weight, ctx.options, ctx.needs_input_grad[:2]), None


class _ConvolutionGradients(torch.autograd.Function):

    @staticmethod
    def forward(ctx, grad, x, weight, options, mask):
        ctx.save_for_backward(grad, x, weight)
        ctx.options = options
        ctx.set_materialize_grads(False)
        return _gradients(grad, x, weight, options, mask)

    @staticmethod
    @once_differentiable
    def backward(ctx, u, v):
        grad, x, weight = ctx.saved_tensors
        for_grad = for_x = for_weight = None
        if u is not None:
            if ctx.needs_input_grad[0]:
                for_grad = F.conv2d(u, weight, None, *ctx.options)
            if ctx.needs_input_grad[2]:
                for_weight = _gradients(grad, u, weight, ctx.options, (False, True))[1]
        if v is not None:
            if ctx.needs_input_grad[0]:
                part = F.conv2d(x, v, None, *ctx.options)
                for_grad = part if for_grad is None else for_grad + part
            if ctx.needs_input_grad[1]:
                for_x = _gradients(grad, x, v, ctx.options, (True, False))[0]
        return for_grad, for_x, for_weight, None, None


@MODELS.register_module()
class TwiceConv2d(nn.Conv2d):
    """``nn.Conv2d`` without bias and with zero padding, to be differentiated up to twice."""

    def _conv_forward(self, input, weight, bias):
        if bias is not None or self.padding_mode != 'zeros' or torch.is_autocast_enabled(input.device.type):
            return super()._conv_forward(input, weight, bias)
        return _Convolution.apply(input, weight, (self.stride, self.padding, self.dilation, self.groups))
