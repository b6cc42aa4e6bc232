"""The modules that an MBConv supernet and its derived networks share."""
from typing import Any

from mmcv.cnn import ConvModule
from mmdet.models.layers import InvertedResidual
from torch import nn

from .layout import IDENTITY, PROJECTION, Layer, Layout, kernel_and_expansion, scaled_width

Cfg = dict[str, Any]


def stem_and_first(table: Layout, width_mult: float, stem_stride: int, norm_cfg: Cfg | None, act_cfg: Cfg | None
                   ) -> tuple[ConvModule, nn.Module]:
    """The modules before the searched layers: the 3x3 convolution, and the separable convolution if there is any."""
    if stem_stride not in (1, 2):
        raise ValueError(f'stem_stride={stem_stride!r} must be 1 or 2')
    width = scaled_width(table.stem_width, width_mult)
    stem = ConvModule(3, width, 3, stem_stride, 1, norm_cfg=norm_cfg, act_cfg=act_cfg)
    if table.first_width is None:
        return stem, nn.Identity()
    return stem, nn.Sequential(
        ConvModule(width, width, 3, 1, 1, groups=width, norm_cfg=norm_cfg, act_cfg=act_cfg),
        ConvModule(width, scaled_width(table.first_width, width_mult), 1, norm_cfg=norm_cfg, act_cfg=None))


def last_convolution(table: Layout, in_channels: int, width_mult: float, norm_cfg: Cfg | None, act_cfg: Cfg | None
                     ) -> nn.Module | None:
    """The 1x1 convolution after the last stage; None if the layout has none."""
    if table.last_width is None:
        return None
    return ConvModule(in_channels, scaled_width(table.last_width, width_mult), 1, norm_cfg=norm_cfg, act_cfg=act_cfg)


def activation_of(table: Layout, act_cfg: Cfg | None) -> Cfg:
    """The config of the convolutions' activation: ``act_cfg``, or the layout's activation if that is None."""
    return dict(type=table.activation) if act_cfg is None else act_cfg


def mbconv(layer: Layer, choice: str, norm_cfg: Cfg | None, act_cfg: Cfg | None,
           se_ratio: float | None = None) -> nn.Module:
    """The module of a choice of a layer.

    It is a 1x1 expansion, a depthwise kxk convolution and a 1x1 projection; the
    identity; or a 1x1 convolution instead of the identity in a layer that
    changes width or resolution.

    With ``se_ratio``, squeeze-and-excitation follows the depthwise convolution
    and squeezes to ``se_ratio`` times the layer's input channels.
    """
    if choice == IDENTITY:
        return nn.Identity()
    if choice == PROJECTION:
        return ConvModule(layer.in_channels, layer.out_channels, 1, layer.stride, norm_cfg=norm_cfg, act_cfg=None)
    kernel, expansion = kernel_and_expansion(choice)
    return InvertedResidual(
        layer.in_channels,
        layer.out_channels,
        layer.in_channels * expansion,
        kernel_size=kernel,
        stride=layer.stride,
        se_cfg=None if se_ratio is None else dict(channels=layer.in_channels * expansion, ratio=expansion / se_ratio),
        norm_cfg=norm_cfg,
        act_cfg=act_cfg)
