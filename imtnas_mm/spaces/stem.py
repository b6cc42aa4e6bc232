"""What is before the cells of a network: the stems of CIFAR and of ImageNet."""
from mmcv.cnn import build_conv_layer, build_norm_layer
from torch import nn


def conv_norm(in_channels, out_channels, kernel, stride, norm_cfg, conv_cfg=None):
    """A convolution that keeps the resolution at stride 1, and a norm: two modules."""
    return (build_conv_layer(conv_cfg, in_channels, out_channels, kernel, stride, kernel // 2, bias=False),
            build_norm_layer(norm_cfg, out_channels)[1])


def cell_stem(stem, width, norm_cfg, stride=1, conv_cfg=None):
    """What is before the cells: ``cifar``, one 3x3 convolution, or ``imagenet``, three of stride 2 in two parts.

    Args:
        width (int): output channels.
        norm_cfg (dict): of every norm.
        stride (int): of the CIFAR stem.
        conv_cfg (dict, optional): of every convolution; ``nn.Conv2d`` by default.
    """
    if stem == 'cifar':
        return nn.ModuleList([nn.Sequential(*conv_norm(3, width, 3, stride, norm_cfg, conv_cfg))])
    if stem != 'imagenet':
        raise ValueError(f"stem={stem!r} must be 'cifar' or 'imagenet'")
    if stride != 1:
        raise ValueError(f"stem_stride={stride}: it is an option of stem='cifar'; that of 'imagenet' has stride 8")
    return nn.ModuleList([
        nn.Sequential(*conv_norm(3, width // 2, 3, 2, norm_cfg, conv_cfg), nn.ReLU(),
                      *conv_norm(width // 2, width, 3, 2, norm_cfg, conv_cfg)),
        nn.Sequential(nn.ReLU(), *conv_norm(width, width, 3, 2, norm_cfg, conv_cfg))
    ])
