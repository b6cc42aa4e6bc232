"""1x1 convolutions on CPUs as matrix products in channels-last memory.

For small batches on CPUs PyTorch runs a slow convolution per group, and oneDNN
is no faster than these products.
"""
import torch


def is_pointwise(x, weight, options):
    """Whether a convolution runs on a CPU with a 1x1 kernel, stride 1 and channels-last input."""
    stride, padding, _, _ = options
    return (weight.shape[2:] == (1, 1) and tuple(stride) == (1, 1) and tuple(padding) == (0, 0) and
            x.device.type == 'cpu' and x.is_contiguous(memory_format=torch.channels_last))


def rows(x, groups):
    """[N, groups * C, H, W] -> a view [groups, N H W, C]."""
    x = x.permute(0, 2, 3, 1)
    return x.reshape(-1, groups, x.shape[3] // groups).transpose(0, 1)


def _products(x, matrices, groups):
    """[N, groups * C, H, W] and [groups, C, O] -> [N, groups * O, H, W], channels last."""
    number, _, height, width = x.shape
    y = x.new_empty(number, height, width, groups * matrices.shape[2]).permute(0, 3, 1, 2)
    torch.bmm(rows(x, groups), matrices, out=rows(y, groups))
    return y


def convolve(x, weight, groups):
    """[N, groups * C, H, W] and [groups * O, C, 1, 1] -> [N, groups * O, H, W]."""
    return _products(x, weight.view(groups, -1, weight.shape[1]).transpose(1, 2), groups)


def add_convolved(y, x, weight, groups):
    """Adds ``convolve(x, weight, groups)`` to y, in place."""
    rows(y, groups).baddbmm_(rows(x, groups), weight.view(groups, -1, weight.shape[1]).transpose(1, 2))
    return y


def input_gradient(grad, weight, groups):
    grad = grad.contiguous(memory_format=torch.channels_last)
    return _products(grad, weight.view(groups, -1, weight.shape[1]), groups)


def weight_gradient(grad, x, groups):
    grad, x = (t.contiguous(memory_format=torch.channels_last) for t in (grad, x))
    products = torch.bmm(rows(grad, groups).transpose(1, 2), rows(x, groups))
    return products.view(-1, products.shape[2], 1, 1)
