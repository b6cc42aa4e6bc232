"""A convolution whose second derivative is as fast as its first.

PyTorch's double backward of a grouped convolution loops over the groups: a
depthwise one takes hundreds of small convolutions. Here each term is one grouped
convolution. With ``y = conv(x, w)``, ``gx = dL/dx`` and ``gw = dL/dw`` as
functions of (gy, x, w), and ``u``, ``v`` the adjoints of gx and gw:

    adjoint of gy = conv(u, w) + conv(x, v)
    adjoint of x  = input gradient at (gy, v)
    adjoint of w  = weight gradient at (u, gy)
"""
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..compat import convolution_backward
from ..compat.tensors import is_asked_for
from ..registry import MODELS
from . import pointwise
from .normalization import by_channel
from .pointwise import is_pointwise

FAST_WIDTH = 3  # largest width of depthwise kernels for whose weight gradient oneDNN has vector code


def _convolve(x, weight, options, bias=None):
    if is_pointwise(x, weight, options):
        y = pointwise.convolve(x, weight, options[-1])
        return y if bias is None else y.add_(by_channel(bias))
    return F.conv2d(x, weight, bias, *options)


def _add_convolved(y, x, weight, options):
    """Adds ``_convolve(x, weight, options)`` to y, in place."""
    if is_pointwise(x, weight, options) and y.is_contiguous(memory_format=torch.channels_last):
        return pointwise.add_convolved(y, x, weight, options[-1])
    return y.add_(_convolve(x, weight, options))


def _gradients(grad, x, weight, options, mask):
    """(dL/dx, dL/dw), each where ``mask`` asks for it."""
    stride, padding, dilation, groups = options
    if is_pointwise(x, weight, options):
        return (pointwise.input_gradient(grad, weight, groups) if mask[0] else None,
                pointwise.weight_gradient(grad, x, groups) if mask[1] else None)
    for_weight = None
    if mask[1] and _slow_weight_gradient(x, weight, dilation, groups):
        for_weight = _weight_gradient_by_columns(grad, x, weight, stride, padding)
        mask = mask[0], False
    if not any(mask):
        return None, for_weight
    gradients = convolution_backward(grad, x, weight, None, stride, padding, dilation, False, [0, 0], groups,
                                     [*mask, False])
    # gradients outside the mask are undefined
    return gradients[0] if mask[0] else None, gradients[1] if mask[1] else for_weight


def _slow_weight_gradient(x, weight, dilation, groups):
    """Whether it is a depthwise convolution in float32 on a CPU whose kernel is too wide for oneDNN's vector code."""
    return (x.device.type == 'cpu' and x.dtype == torch.float32 and weight.shape[1] == 1 and
            groups == len(weight) == x.shape[1] and weight.shape[3] > FAST_WIDTH and tuple(dilation) == (1, 1) and
            x.is_contiguous(memory_format=torch.channels_last))


def _weight_gradient_by_columns(grad, x, weight, stride, padding):
    """Splits the kernel into narrow ones of a few columns; each has a gradient over the part of x that it covers."""
    parts, first = [], 0
    # x is padded here: oneDNN has no vector code for kernels higher than the unpadded map
    x = F.pad(x, (padding[1], padding[1], padding[0], padding[0]))
    for part in weight.split(FAST_WIDTH, 3):
        covered = x[..., first:first + (grad.shape[3] - 1) * stride[1] + part.shape[3]]
        parts.append(convolution_backward(grad, covered, part, None, stride, [0, 0], [1, 1], False, [0, 0],
                                          len(weight), [False, True, False])[1])
        first += part.shape[3]
    return torch.cat(parts, 3)


def _asked_for(ctx, number):
    """Which derivatives by its first inputs, all tensors, a backward pass is to compute."""
    return tuple(needed and is_asked_for(node)
                 for needed, (node, _) in zip(ctx.needs_input_grad, ctx.next_functions[:number], strict=False))


class _Convolution(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, weight, options, bias):
        ctx.save_for_backward(x, weight)
        ctx.options = options
        return _convolve(x, weight, options, bias)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        for_x, for_weight = _ConvolutionGradients.apply(grad, x, weight, ctx.options, _asked_for(ctx, 2))
        return for_x, for_weight, None, grad.sum((0, 2, 3)) if ctx.needs_input_grad[3] else None


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
        by_grad, by_x, by_weight = _asked_for(ctx, 3)
        for_grad = for_x = for_weight = None
        if u is not None:
            if by_grad:
                for_grad = _convolve(u, weight, ctx.options)
            if by_weight:
                for_weight = _gradients(grad, u, weight, ctx.options, (False, True))[1]
        if v is not None:
            if by_grad:
                for_grad = (_convolve(x, v, ctx.options) if for_grad is None else
                            _add_convolved(for_grad, x, v, ctx.options))
            if by_x:
                for_x = _gradients(grad, x, v, ctx.options, (True, False))[0]
        return for_grad, for_x, for_weight, None, None


def conv2d(x: Tensor, weight: Tensor, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1) -> Tensor:
    """``F.conv2d`` without bias, to be differentiated up to twice; the options are numbers."""
    options = (stride, stride), (padding, padding), (dilation, dilation), groups
    if torch.is_autocast_enabled(x.device.type):
        return F.conv2d(x, weight, None, *options)
    return _Convolution.apply(x, weight, options, None)


@MODELS.register_module(name=['TwiceDifferentiableConv2d', 'TwiceConv2d'])  # configs may have either name
class TwiceDifferentiableConv2d(nn.Conv2d):
    """``nn.Conv2d`` with zero padding, to be differentiated up to twice."""

    def _conv_forward(self, input, weight, bias):
        if self.padding_mode != 'zeros' or isinstance(self.padding, str) or input.dim() != 4 or \
                torch.is_autocast_enabled(input.device.type):
            return super()._conv_forward(input, weight, bias)
        return _Convolution.apply(input, weight, (self.stride, self.padding, self.dilation, self.groups), bias)


def make_twice_differentiable(model: nn.Module) -> None:
    """Makes each plain ``nn.Conv2d`` of a model one that is fast to differentiate twice, with the same parameters.

    PyTorch's double backward takes the gradient as a kernel: one as large as
    the map, for which cuDNN has slow algorithms and large workspaces.
    """
    for module in model.modules():
        if type(module) is nn.Conv2d:
            module.__class__ = TwiceDifferentiableConv2d
