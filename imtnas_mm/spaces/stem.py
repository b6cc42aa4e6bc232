"""The modules before the cells of a network: the stems of CIFAR and of ImageNet."""
from typing import Any

from mmcv.cnn import build_norm_layer
from torch import nn


def conv_norm(in_channels: int, out_channels: int, kernel: int, stride: int, norm_cfg: dict[str, Any]
              ) -> tuple[nn.Module, nn.Module]:
    """A convolution that keeps the resolution at stride 1, and a norm: two modules."""
    return (nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False),
            build_norm_layer(norm_cfg, out_channels)[1])


def cell_stem(stem: str, width: int, norm_cfg: dict[str, Any], stride: int = 1) -> nn.ModuleList:
    """The modules before the cells: a part for the CIFAR stem, two parts for the ImageNet stem.

    Args:
        stem (str): ``cifar``, a 3x3 convolution, or ``imagenet``, three 3x3
            convolutions of stride 2.
        width (int): output channels.
        norm_cfg (dict): the config of the norms.
        stride (int): the stride of the CIFAR stem.

    Raises:
        ValueError: if ``stem`` is unknown, or ``stride`` is set for ``imagenet``.
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
