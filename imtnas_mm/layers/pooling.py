"""The 3x3 max and average pools of a cell as one operator, to be differentiated up to twice.

Both are linear at fixed indices: with ``y = P x``, the adjoint of ``P^T g`` is
``P u``. PyTorch's double backward would also pass a map of zeros to x.
"""
import torch
import torch.nn.functional as F
from torch.autograd.function import once_differentiable

from ..compat import avg_pool2d_backward, max_pool2d_with_indices_backward

KERNEL, PADDING = 3, 1


def max_pool(x, stride):
    return F.max_pool2d(x, KERNEL, stride, PADDING)


def avg_pool(x, stride):
    """The mean over the pixels that lie in the map."""
    return F.avg_pool2d(x, KERNEL, stride, PADDING, count_include_pad=False)


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
        return for_x.add_(avg_pool2d_backward(of_avg, x, *window, False, False, None))

    @staticmethod
    @once_differentiable
    def backward(ctx, u):
        indices, = ctx.saved_tensors
        chosen = u.flatten(2).gather(2, indices.flatten(2)).view(indices.shape)
        return torch.cat([chosen, avg_pool(u, ctx.stride)], 1), None, None, None


def pools(x, stride):
    """[N, C, H, W] -> [N, 2 C, h, w]: the max pool of all channels, then the average pool."""
    return _Pools.apply(x, stride)
