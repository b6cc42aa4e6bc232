"""The layer tables of the MBConv spaces: what is fixed, what is searched.

Two layouts. ``fairnas19`` (Chu et al., 2019, FairNAS) has 19 searched layers
after a separable convolution; ``proxyless21`` (Cai et al., 2019,
ProxylessNAS) has 21 after a fixed MBConv of expansion 1, which is the same
separable convolution. A searched layer chooses a kernel of 3, 5 or 7 and an
expansion of 3 or 6, or, where a shortcut is legal, to be the identity.
"""
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from mmdet.models.utils import make_divisible

CONVOLUTIONS = tuple(f'mbconv_{k}x{k}_e{e}' for k in (3, 5, 7) for e in (3, 6))
IDENTITY = 'identity'


@dataclass(frozen=True)
class Layout:
    """A table of stages: widths, depths and strides of the searched layers."""
    widths: tuple
    depths: tuple
    strides: tuple
    stem_width: int = 32
    first_width: int = 16  # of the fixed separable convolution
    head_width: int = 1280  # of the 1x1 convolution before the classifier


LAYOUTS = {
    'fairnas19': Layout(widths=(32, 40, 80, 96, 192, 320), depths=(2, 4, 4, 4, 4, 1), strides=(2, 2, 2, 1, 2, 1)),
    'proxyless21': Layout(widths=(24, 40, 80, 96, 192, 320), depths=(4, 4, 4, 4, 4, 1), strides=(2, 2, 2, 1, 2, 1)),
}


@dataclass(frozen=True)
class Layer:
    """One searched layer: its place, shape and legal choices."""
    name: str
    stage: int
    in_channels: int
    out_channels: int
    stride: int
    choices: tuple


def kernel_and_expansion(choice):
    """``'mbconv_5x5_e3'`` -> ``(5, 3)``."""
    kernel, expansion = choice.removeprefix('mbconv_').split('_e')
    return int(kernel.split('x')[0]), int(expansion)


def get_layout(layout):
    if layout not in LAYOUTS:
        raise ValueError(f'layout={layout!r} is not an MBConv layout; known are {sorted(LAYOUTS)}')
    return LAYOUTS[layout]


def scaled_width(width, width_mult):
    return width if width_mult == 1 else make_divisible(width * width_mult, 8)


def searched_layers(layout, width_mult=1., strides=None):
    """The searched layers of a layout, first to last.

    Args:
        layout (str): ``fairnas19`` or ``proxyless21``.
        width_mult (float): multiplies every width (rounded to a multiple of 8).
        strides (sequence of int, optional): one a stage, in place of the
            layout's own, so that small images keep some resolution.

    The identity is legal in every layer of a stage but its first (where the
    stride is 1 and the widths are equal), whatever ``width_mult`` and
    ``strides`` are: the choices of a space don't depend on its scale.
    """
    table = get_layout(layout)
    strides = tuple(table.strides if strides is None else strides)
    if len(strides) != len(table.widths) or any(s not in (1, 2) for s in strides):
        raise ValueError(f'strides={strides!r}: {layout} takes {len(table.widths)} strides of 1 or 2, one a stage')
    layers = []
    channels = scaled_width(table.first_width, width_mult)
    for stage, (width, depth, stride) in enumerate(zip(table.widths, table.depths, strides, strict=True)):
        width = scaled_width(width, width_mult)
        for i in range(depth):
            layers.append(
                Layer(
                    name=f'layer{len(layers) + 1:02d}',
                    stage=stage,
                    in_channels=channels,
                    out_channels=width,
                    stride=stride if i == 0 else 1,
                    choices=CONVOLUTIONS if i == 0 else CONVOLUTIONS + (IDENTITY, )))
            channels = width
    return layers


def by_stage(layers):
    """list[list[Layer]]: the layers of each stage."""
    return [list(group) for _, group in groupby(layers, attrgetter('stage'))]


def stage_widths(layers):
    """tuple[int]: the channels of the stages' outputs in a network of these layers."""
    return tuple(group[-1].out_channels for group in by_stage(layers))


def mbconv_blocks(layers):
    """dict[str, tuple[str]]: the blocks of a network of these layers, name -> paths of its modules."""
    return {'stem': ('stem', 'first'), **{layer.name: (f'layers.{layer.name}', ) for layer in layers}}
