"""The sums of maps of many edges by node, whose derivatives take one operation each.

PyTorch's derivative of a sum over two dimensions that aren't neighbours copies the
gradient twice, once per dimension.
"""
import torch
from torch import Tensor


def edge_sums(y: Tensor, operations: int, states: int, channels: int) -> Tensor:
    """[N, H, W, operations * nodes * states * channels] -> [N, H, W, nodes, channels]: sums over operations, states."""
    if operations == states == 1:
        return y.unflatten(3, (-1, channels))
    return _EdgeSums.apply(y, operations, states, channels)


class _EdgeSums(torch.autograd.Function):

    @staticmethod
    def forward(ctx, y, operations, states, channels):
        ctx.copies = operations, states
        # two sums: PyTorch is far slower at one over both dimensions
        if operations > 1:
            y = y.unflatten(3, (operations, -1)).sum(3)
        y = y.unflatten(3, (-1, states, channels))
        return y.sum(4) if states > 1 else y.squeeze(4)

    @staticmethod
    def backward(ctx, grad):
        return _EdgeCopies.apply(grad, *ctx.copies), None, None, None


class _EdgeCopies(torch.autograd.Function):
    """The transposed map: the gradient of a node goes to all its edges."""

    @staticmethod
    def forward(ctx, grad, operations, states):
        ctx.sizes = operations, states, grad.shape[4]
        copies = grad[:, :, :, None, :, None].expand(-1, -1, -1, operations, -1, states, -1)
        return copies.flatten(3)

    @staticmethod
    def backward(ctx, u):
        return edge_sums(u, *ctx.sizes), None, None
