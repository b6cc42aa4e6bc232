"""The operations of a derived cell (Liu et al., 2019, DARTS, Sec. 3.1): affine norms, and pools without norms."""
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from torch import Tensor, nn

from ...layers.parities import parities
from ..stem import conv_norm
from .layout import AVG_POOL, DILATED, MAX_POOL, SEPARABLE, SKIP, kernel_size


def relu_conv_norm(in_channels: int, out_channels: int, norm_cfg: dict[str, Any]) -> nn.Sequential:
    """ReLU, 1x1 convolution, norm."""
    return nn.Sequential(nn.ReLU(), *conv_norm(in_channels, out_channels, 1, 1, norm_cfg))


class FactorizedReduction(nn.Module):
    """Halve the resolution: ReLU, two 1x1 convolutions of stride 2 on pixels apart by (1, 1), norm.

    An odd side is rounded up, as 3x3 convolutions and pools do: the second
    convolution then reads zeros beyond the border. The pixels are picked before
    the convolutions, which have stride 1: oneDNN's gradient of a strided 1x1
    convolution of few channels-last channels writes out of bounds
    (uxlfoundation/oneDNN issue 6035).
    """

    def __init__(self, in_channels: int, out_channels: int, norm_cfg: dict[str, Any]) -> None:
        super().__init__()
        if out_channels % 2:
            raise ValueError(f'a factorised reduction to {out_channels} channels: the number must be even')
        self.even = nn.Conv2d(in_channels, out_channels // 2, 1, bias=False)
        self.odd = nn.Conv2d(in_channels, out_channels // 2, 1, bias=False)
        self.norm = build_norm_layer(norm_cfg, out_channels)[1]

    def forward(self, x: Tensor) -> Tensor:
        even, odd = parities(F.relu(x))
        return self.norm(torch.cat([self.even(even), self.odd(odd)], 1))


def _depthwise_pointwise(channels: int, kernel: int, stride: int, dilation: int, norm_cfg: dict[str, Any]
                         ) -> list[nn.Module]:
    return [
        nn.ReLU(),
        nn.Conv2d(
            channels, channels, kernel, stride, dilation * (kernel // 2), dilation, groups=channels, bias=False),
        *conv_norm(channels, channels, 1, 1, norm_cfg)
    ]


def cell_operation(name: str, channels: int, stride: int, norm_cfg: dict[str, Any]) -> nn.Module:
    """The module of any operation of ``layout.OPERATIONS`` but ``none``.

    The identity is an ``nn.Identity`` at stride 1 and a factorised reduction
    at stride 2.

    Raises:
        ValueError: if the operation is unknown.
    """
    if name == SKIP:
        return nn.Identity() if stride == 1 else FactorizedReduction(channels, channels, norm_cfg)
    if name == MAX_POOL:
        return nn.MaxPool2d(3, stride, 1)
    if name == AVG_POOL:
        return nn.AvgPool2d(3, stride, 1, count_include_pad=False)
    kernel = kernel_size(name)
    if name in SEPARABLE:
        return nn.Sequential(*_depthwise_pointwise(channels, kernel, stride, 1, norm_cfg),
                             *_depthwise_pointwise(channels, kernel, 1, 1, norm_cfg))
    if name in DILATED:
        return nn.Sequential(*_depthwise_pointwise(channels, kernel, stride, 2, norm_cfg))
    raise ValueError(f'{name!r} is no operation of a derived cell')
