"""The 3x3 max and average pools of a cell, alone and as one operator, to be differentiated up to twice.

Both are linear at fixed indices: with ``y = P x``, the adjoint of ``P^T g`` is
``P u``. PyTorch's double backward would also pass a map of zeros to x, and keep x.
"""
import functools

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..compat import avg_pool2d_backward, max_pool2d_with_indices_backward
from .normalization import OWN_DTYPES, memory_format_of

KERNEL, PADDING = 3, 1
FEW_PIXELS = 64  # PyTorch's pool of smaller maps is the faster one


def max_pool(x: Tensor, stride: int) -> Tensor:
    return F.max_pool2d(x, KERNEL, stride, PADDING)


def avg_pool(x: Tensor, stride: int) -> Tensor:
    """The mean over the pixels that lie in the map."""
    return _AvgPool.apply(x, KERNEL, stride, PADDING)


def avg_pool_transposed(grad: Tensor, shape: torch.Size) -> Tensor:
    """The gradient of :func:`avg_pool` at stride 1 of a map of that shape, without a derivative of its own."""
    return _means_gradient(grad, shape, KERNEL, 1, PADDING)


def half_size(x: Tensor) -> Tensor:
    """The means of 2x2 pixels, of fewer at the border of an odd size."""
    return _AvgPool.apply(x, 2, 2, 0)


def _means(x, kernel, stride, padding):
    if _by_sums(x, kernel, stride):
        return _box_sums(x).div_(_counts(x))
    return F.avg_pool2d(x, kernel, stride, padding, ceil_mode=not padding, count_include_pad=False)


def _means_gradient(grad, shape, kernel, stride, padding):
    if _by_sums(grad, kernel, stride):
        return _box_sums(grad / _counts(grad))
    like = grad if grad.shape == shape else grad.new_empty(shape).contiguous(memory_format=memory_format_of(grad))
    return _means_gradient_like(grad, like, kernel, stride, padding)


def _means_gradient_like(grad, like, kernel, stride, padding):
    """The gradient by PyTorch, of the shape and layout of ``like``.

    PyTorch's CUDA kernel for maps whose strides are those of channels-last
    ignores the padding and gives a wrong gradient (pytorch/pytorch#188344,
    seen with 2.11), so no such map reaches it.
    """
    options = [kernel] * 2, [stride] * 2, [padding] * 2, not padding, False, None
    if like.device.type == 'cpu' or not padding:
        return avg_pool2d_backward(grad, like, *options)
    if (kernel, stride) == (KERNEL, 1) and not like.is_contiguous():  # the box sums
        counts = _gpu_counts(*like.shape[2:], like.dtype, like.device)
        return F.avg_pool2d(grad / counts, KERNEL, 1, PADDING, divisor_override=1)
    gradient = avg_pool2d_backward(grad.contiguous(), grad.new_empty(like.shape), *options)
    return gradient.contiguous(memory_format=memory_format_of(like))


def _by_sums(x, kernel, stride):
    """Whether sums of shifted maps are faster than PyTorch's pool: on CPUs, but for the smallest maps."""
    return (x.device.type == 'cpu' and x.dtype in OWN_DTYPES and (kernel, stride) == (KERNEL, 1) and
            x.shape[2] * x.shape[3] > FEW_PIXELS and x.is_contiguous(memory_format=torch.channels_last))


def _box_sums(x):
    """The sums over 3x3 pixels, as far as they lie in the map; linear and symmetric."""
    x = x.permute(0, 2, 3, 1)
    by_rows = x.clone()
    by_rows[:, 1:].add_(x[:, :-1])  # not +=, which copies the part onto itself besides
    by_rows[:, :-1].add_(x[:, 1:])
    sums = by_rows.clone()
    sums[:, :, 1:].add_(by_rows[:, :, :-1])
    sums[:, :, :-1].add_(by_rows[:, :, 1:])
    return sums.permute(0, 3, 1, 2)


def _counts(x):
    """The number of pixels in each box, shaped as an image: a full map, since broadcasting it is slow."""
    return _counts_of(tuple(x.shape[1:]), x.dtype)


@functools.lru_cache(maxsize=16)
def _counts_of(shape, dtype):
    return _box_sums(torch.ones(1, *shape, dtype=dtype).contiguous(memory_format=torch.channels_last))


@functools.cache  # for good: a CUDA graph may hold it
def _gpu_counts(height, width, dtype, device):
    """[1, 1, height, width], which broadcasts at no cost on a GPU."""
    return _box_sums(torch.ones(1, 1, height, width, dtype=dtype, device=device))


class _AvgPool(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, *window):
        ctx.shape, ctx.window = x.shape, window
        return _means(x, *window)

    @staticmethod
    def backward(ctx, grad):
        return _AvgPoolGradient.apply(grad, ctx.shape, ctx.window), None, None, None


class _AvgPoolGradient(torch.autograd.Function):

    @staticmethod
    def forward(ctx, grad, shape, window):
        ctx.window = window
        return _means_gradient(grad, shape, *window)

    @staticmethod
    def backward(ctx, u):
        return _AvgPool.apply(u, *ctx.window), None, None


class _Pools(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, stride):
        largest, indices = F.max_pool2d(x, KERNEL, stride, PADDING, return_indices=True)
        ctx.save_for_backward(x, indices)
        ctx.stride = stride
        return torch.cat([largest, avg_pool(x, stride)], 1)

    @staticmethod
    def backward(ctx, grad):
        return _PoolsGradient.apply(grad, *ctx.saved_tensors, ctx.stride), None


class _PoolsGradient(torch.autograd.Function):

    @staticmethod
    def forward(ctx, grad, x, indices, stride):
        ctx.save_for_backward(indices)
        ctx.stride = stride
        of_max, of_avg = grad.chunk(2, 1)
        window = [KERNEL] * 2, [stride] * 2, [PADDING] * 2
        for_x = max_pool2d_with_indices_backward(of_max, x, *window, [1, 1], False, indices)
        return for_x.add_(_means_gradient_like(of_avg, x, KERNEL, stride, PADDING))

    @staticmethod
    @once_differentiable
    def backward(ctx, u):
        indices, = ctx.saved_tensors
        chosen = u.flatten(2).gather(2, indices.flatten(2)).view(indices.shape)
        return torch.cat([chosen, avg_pool(u, ctx.stride)], 1), None, None, None


def pools(x: Tensor, stride: int) -> Tensor:
    """[N, C, H, W] -> [N, 2 C, h, w]: the max pool of all channels, then the average pool."""
    return _Pools.apply(x, stride)
