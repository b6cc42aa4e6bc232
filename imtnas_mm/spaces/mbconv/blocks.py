"""The modules that an MBConv supernet and its derived networks share."""
from mmcv.cnn import ConvModule
from mmdet.models.layers import InvertedResidual
from torch import nn

from .layout import IDENTITY, kernel_and_expansion, scaled_width


def stem_and_first(table, width_mult, stem_stride, norm_cfg, act_cfg, conv_cfg=None):
    """What is not searched: the 3x3 convolution, and the separable convolution after it."""
    if stem_stride not in (1, 2):
        raise ValueError(f'stem_stride={stem_stride!r} must be 1 or 2')
    stem = scaled_width(table.stem_width, width_mult)
    first = scaled_width(table.first_width, width_mult)
    options = dict(conv_cfg=conv_cfg, norm_cfg=norm_cfg)
    return (ConvModule(3, stem, 3, stem_stride, 1, act_cfg=act_cfg, **options),
            nn.Sequential(
                ConvModule(stem, stem, 3, 1, 1, groups=stem, act_cfg=act_cfg, **options),
                ConvModule(stem, first, 1, act_cfg=None, **options)))


def mbconv(layer, choice, norm_cfg, act_cfg, conv_cfg=None, se_ratio=None):
    """The module of one choice of a layer: the identity, or 1x1 expansion, depthwise kxk, 1x1 projection.

    With ``se_ratio``, squeeze-and-excitation follows the depthwise convolution
    and squeezes to ``se_ratio`` times the layer's input channels.
    """
    if choice == IDENTITY:
        return nn.Identity()
    kernel, expansion = kernel_and_expansion(choice)
    return InvertedResidual(
        layer.in_channels,
        layer.out_channels,
        layer.in_channels * expansion,
        kernel_size=kernel,
        stride=layer.stride,
        se_cfg=None if se_ratio is None else dict(channels=layer.in_channels * expansion, ratio=expansion / se_ratio),
        conv_cfg=conv_cfg,
        norm_cfg=norm_cfg,
        act_cfg=act_cfg)
