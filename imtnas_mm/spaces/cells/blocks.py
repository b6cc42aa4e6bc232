"""The modules that a cell supernet and its derived networks share."""
import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from torch import nn

STEM_MULTIPLIER = 3  # the width of the CIFAR stem over that of the first cells


def conv_norm(in_channels, out_channels, kernel, stride, norm_cfg):
    """A convolution that keeps the resolution at stride 1, and a norm: two modules."""
    return (nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False),
            build_norm_layer(norm_cfg, out_channels)[1])


def cell_stem(stem, width, norm_cfg, stride=1):
    """What is before the cells: ``cifar``, one 3x3 convolution, or ``imagenet``, three of stride 2 in two parts.

    Args:
        width (int): output channels.
        stride (int): of the CIFAR stem.
    """
    if stem == 'cifar':
        return nn.ModuleList([nn.Sequential(*conv_norm(3, width, 3, stride, norm_cfg))])
    if stem != 'imagenet':
        raise ValueError(f"stem={stem!r} must be 'cifar' or 'imagenet'")
    if stride != 1:
        raise ValueError(f"stem_stride={stride}: it is an option of stem='cifar'; that of 'imagenet' has stride 8")
    return nn.ModuleList([
        nn.Sequential(*conv_norm(3, width // 2, 3, 2, norm_cfg), nn.ReLU(),
                      *conv_norm(width // 2, width, 3, 2, norm_cfg)),
        nn.Sequential(nn.ReLU(), *conv_norm(width, width, 3, 2, norm_cfg))
    ])


def parities(x):
    """The pixels of even row and column, and those of odd; an odd size is padded by a zero row or column."""
    height, width = x.shape[2:]
    if height % 2 or width % 2:
        x = F.pad(x, (0, width % 2, 0, height % 2))
    return x[:, :, ::2, ::2], x[:, :, 1::2, 1::2]
