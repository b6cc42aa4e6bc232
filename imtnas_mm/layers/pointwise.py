"""1x1 convolutions on CPUs as matrix products in channels-last memory.

For small batches on CPUs PyTorch runs a slow convolution per group, and oneDNN
is no faster than these products. MKL's product is slow, too, where a matrix has
fewer than 16 columns. There, some pixels are multiplied together, by a matrix that has
the weight on its diagonal once per pixel.
"""
import torch
from torch import Tensor

WIDE = 16  # columns that MKL's products are fast from


def is_pointwise(x: Tensor, weight: Tensor, options: tuple) -> bool:
    """Whether a convolution runs on a CPU with a 1x1 kernel, stride 1 and channels-last input."""
    stride, padding, _, _ = options
    return (weight.shape[2:] == (1, 1) and tuple(stride) == (1, 1) and tuple(padding) == (0, 0) and
            x.device.type == 'cpu' and x.is_contiguous(memory_format=torch.channels_last))


def rows(x: Tensor, groups: int) -> Tensor:
    """[N, groups * C, H, W] -> a view [groups, N H W, C]."""
    x = x.permute(0, 2, 3, 1)
    return x.reshape(-1, groups, x.shape[3] // groups).transpose(0, 1)


def pixels_together(number: int, *channels: int) -> int:
    """How many pixels of ``number`` a product of few channels takes together: 1, 2 or 4."""
    count = 1
    while count < 4 and count * min(channels) < WIDE and number % (2 * count) == 0:
        count *= 2
    return count


def joined_rows(x: Tensor, count: int) -> Tensor:
    """[N, C, H, W] -> a view [N H W / count, count * C]."""
    return x.permute(0, 2, 3, 1).reshape(-1, count * x.shape[1])


def _products(x, matrices, groups):
    """[N, groups * C, H, W] and [groups, C, O] -> [N, groups * O, H, W], channels last."""
    number, _, height, width = x.shape
    y = x.new_empty(number, height, width, groups * matrices.shape[2]).permute(0, 3, 1, 2)
    if groups == 1:
        count = pixels_together(number * height * width, *matrices.shape[1:])
        matrix = matrices[0] if count == 1 else torch.block_diag(*matrices.expand(count, -1, -1))
        torch.mm(joined_rows(x, count), matrix, out=joined_rows(y, count))
    else:
        torch.bmm(rows(x, groups), matrices, out=rows(y, groups))
    return y


def convolve(x: Tensor, weight: Tensor, groups: int) -> Tensor:
    """[N, groups * C, H, W] and [groups * O, C, 1, 1] -> [N, groups * O, H, W]."""
    return _products(x, weight.view(groups, -1, weight.shape[1]).transpose(1, 2), groups)


def add_convolved(y: Tensor, x: Tensor, weight: Tensor, groups: int) -> Tensor:
    """Adds ``convolve(x, weight, groups)`` to y, in place."""
    rows(y, groups).baddbmm_(rows(x, groups), weight.view(groups, -1, weight.shape[1]).transpose(1, 2))
    return y


def input_gradient(grad: Tensor, weight: Tensor, groups: int) -> Tensor:
    grad = grad.contiguous(memory_format=torch.channels_last)
    return _products(grad, weight.view(groups, -1, weight.shape[1]), groups)


def weight_gradient(grad: Tensor, x: Tensor, groups: int) -> Tensor:
    grad, x = (t.contiguous(memory_format=torch.channels_last) for t in (grad, x))
    if groups == 1:
        outputs, channels = grad.shape[1], x.shape[1]
        count = pixels_together(x.numel() // channels, outputs, channels)
        product = joined_rows(grad, count).t() @ joined_rows(x, count)
        if count > 1:  # each pixel with itself
            product = product.view(count, outputs, count, channels).diagonal(dim1=0, dim2=2).sum(-1)
        return product.view(outputs, channels, 1, 1)
    products = torch.bmm(rows(grad, groups).transpose(1, 2), rows(x, groups))
    return products.view(-1, products.shape[2], 1, 1)
