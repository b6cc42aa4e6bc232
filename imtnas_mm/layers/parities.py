"""Maps split by the parity of their pixels, side by side by few operations in both derivatives.

PyTorch's derivative of each strided slice pads it with zeros, one dimension after the
other. The first derivative of :func:`joined_parities` writes both parts into one map
of zeros, and its derivative is the forward pass.
"""
import torch
import torch.nn.functional as F
from torch import Tensor

from .normalization import memory_format_of


def parities(x: Tensor) -> tuple[Tensor, Tensor]:
    """The pixels of even rows and columns, and the pixels of odd rows and columns.

    An odd size is padded by a row or column of zeros.
    """
    x = of_even_size(x)
    return x[:, :, ::2, ::2], x[:, :, 1::2, 1::2]


def joined_parities(x: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, 2 C, ceil(H / 2), ceil(W / 2)]: both maps of :func:`parities` side by side."""
    return _JoinedParities.apply(of_even_size(x))


def of_even_size(x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    return F.pad(x, (0, width % 2, 0, height % 2)) if height % 2 or width % 2 else x


class _JoinedParities(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x):
        return torch.cat([x[:, :, ::2, ::2], x[:, :, 1::2, 1::2]], 1)

    @staticmethod
    def backward(ctx, grad):
        return _Spread.apply(grad)


class _Spread(torch.autograd.Function):
    """The transposed map: the pixels go back to their places, among zeros."""

    @staticmethod
    def forward(ctx, grad):
        number, channels, height, width = grad.shape
        x = torch.empty(number, channels // 2, 2 * height, 2 * width, dtype=grad.dtype, device=grad.device,
                        memory_format=memory_format_of(grad)).zero_()
        even, odd = grad.chunk(2, 1)
        x[:, :, ::2, ::2].copy_(even)
        x[:, :, 1::2, 1::2].copy_(odd)
        return x

    @staticmethod
    def backward(ctx, u):
        return _JoinedParities.apply(u)
