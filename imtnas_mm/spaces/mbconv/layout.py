"""The layouts of the MBConv spaces as data: the fixed parts of a network, and the choices of every searched layer.

A network is a stem, stages of searched layers, and an optional last
convolution. ``fairnas19`` (Chu et al., 2019, FairNAS) has 19 searched layers
after a separable convolution; ``proxyless21`` (Cai et al., 2019, ProxylessNAS)
has 21 after a fixed MBConv of expansion 1, which is the same separable
convolution. ``nasbench_macro`` (Su et al., 2021, NAS-Bench-Macro) has 8 for
images of CIFAR, with ``stem_stride=1``. A config may give another layout as a dict of the fields of
:class:`Layout`.
"""
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from mmdet.models.utils import make_divisible

from ...genotype import Place, check_object, plain

IDENTITY, PROJECTION = 'identity', 'projection'
# Layout.identity: in no layer; in layers where a shortcut is legal; and its projection in the other layers
IDENTITIES = ('none', 'shortcut', 'projection')
# the largest numbers of a layout: a file may hold any number
MOST = dict(widths=2**16, depths=2**10, strides=2, stem_width=2**16, first_width=2**16, last_width=2**16, kernel=63,
            expansion=2**10)
# only these names: no name in a file may make the registry import other code
ACTIVATIONS = ('ReLU', 'ReLU6', 'SiLU', 'HSwish', 'Swish', 'GELU')


@dataclass(frozen=True)
class Candidate:
    """An MBConv block as a choice of a layer: the size of its depthwise kernel, and the factor of its expansion."""
    kernel: int
    expansion: int

    @property
    def name(self) -> str:
        """The name of the choice in architectures and parameters: ``mbconv_5x5_e3``."""
        return f'mbconv_{self.kernel}x{self.kernel}_e{self.expansion}'


CANDIDATES = tuple(Candidate(kernel, expansion) for kernel in (3, 5, 7) for expansion in (3, 6))
CONVOLUTIONS = tuple(candidate.name for candidate in CANDIDATES)


@dataclass(frozen=True)
class Layout:
    """The parts of an MBConv space.

    Args:
        name (str): the name of the layout.
        widths (tuple[int]): the channels of each stage.
        depths (tuple[int]): the searched layers of each stage.
        strides (tuple[int]): 1 or 2, the stride of each stage's first layer.
        candidates (tuple[Candidate]): the choices of each layer, at least two;
            by default kernels of 3, 5 and 7, expansions of 3 and 6.
        identity (str): ``shortcut``: a layer may also be the identity, if a
            shortcut is legal. That is so in all layers of a stage but the
            first. ``projection``: the first layers may also be a 1x1
            convolution of their stride with a norm. ``none``: neither.
        stem_width (int): channels of the first 3x3 convolution.
        first_width (int, optional): channels of the separable convolution
            after it; None for a network without it.
        last_width (int, optional): channels of a 1x1 convolution after the last
            stage, as a part of that stage; None for a network without it.
        activation (str): the activation of the convolutions, one of
            ``ACTIVATIONS``.
    """
    name: str
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    strides: tuple[int, ...]
    candidates: tuple[Candidate, ...] = CANDIDATES
    identity: str = 'shortcut'
    stem_width: int = 32
    first_width: int | None = 16
    last_width: int | None = None
    activation: str = 'ReLU6'

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values, as :func:`read_layout` takes them."""
        return plain(asdict(self))


LAYOUTS = {layout.name: layout for layout in (
    Layout('fairnas19', widths=(32, 40, 80, 96, 192, 320), depths=(2, 4, 4, 4, 4, 1), strides=(2, 2, 2, 1, 2, 1)),
    Layout('proxyless21', widths=(24, 40, 80, 96, 192, 320), depths=(4, 4, 4, 4, 4, 1), strides=(2, 2, 2, 1, 2, 1)),
    Layout('nasbench_macro', widths=(64, 128, 256), depths=(2, 3, 3), strides=(2, 2, 2),
           candidates=(Candidate(3, 3), Candidate(5, 6)), identity='projection', first_width=None, last_width=1280,
           activation='ReLU'),
)}


LayoutSpec = str | dict[str, Any] | Layout  # a name, the fields of a layout, or a layout


@dataclass(frozen=True)
class Layer:
    """A searched layer: its place, shape and legal choices."""
    name: str
    stage: int
    in_channels: int
    out_channels: int
    stride: int
    choices: tuple[str, ...]


def kernel_and_expansion(choice: str) -> tuple[int, int]:
    """``'mbconv_5x5_e3'`` -> ``(5, 3)``."""
    kernel, expansion = choice.removeprefix('mbconv_').split('_e')
    return int(kernel.split('x')[0]), int(expansion)


def get_layout(layout: LayoutSpec) -> Layout:
    """The layout that a config names, or defines as a dict of the fields of :class:`Layout`.

    Raises:
        ValueError: if no layout has this name, or a field is wrong.
    """
    if isinstance(layout, Layout):
        return layout
    if isinstance(layout, dict):
        return read_layout(plain(layout), Place('model.search_space', 'layout'))
    if layout not in LAYOUTS:
        raise ValueError(f'layout={layout!r} is not an MBConv layout; known are {sorted(LAYOUTS)}, or a dict gives '
                         'another')
    return LAYOUTS[layout]


def read_layout(data: Any, place: Place) -> Layout:
    """The layout of these JSON values, see :meth:`Layout.to_dict`. Fields with a default may be missing.

    Raises:
        GenotypeError: at the place of a wrong field.
    """
    required = ('name', 'widths', 'depths', 'strides')
    check_object(data, place, required,
                 ('candidates', 'identity', 'stem_width', 'first_width', 'last_width', 'activation'))
    if not isinstance(data['name'], str) or not data['name']:
        place['name'].fail(data['name'], 'a layout has a name')
    stages = len(data['widths']) if isinstance(data['widths'], list) else 0
    for field in required[1:]:
        values = data[field]
        if not isinstance(values, list) or not values or len(values) != stages:
            place[field].fail(values, 'widths, depths and strides are lists of one length, a number per stage')
        for i, value in enumerate(values):
            _check_count(value, place[field][i], MOST[field])
    fields: dict[str, Any] = {field: tuple(data[field]) if field in required[1:] else data[field] for field in data}
    for field in ('stem_width', 'first_width', 'last_width'):
        if field in data and (field == 'stem_width' or data[field] is not None):
            _check_count(data[field], place[field], MOST[field])
    for field, legal in (('identity', IDENTITIES), ('activation', ACTIVATIONS)):
        if field in data and data[field] not in legal:
            place[field].fail(data[field], f'it must be one of {", ".join(legal)}')
    if 'candidates' in data:
        fields['candidates'] = _read_candidates(data['candidates'], place['candidates'])
    return Layout(**fields)


def _check_count(value: Any, place: Place, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        place.fail(value, f'it must be a whole number from 1 to {most}')


def _read_candidates(candidates: Any, place: Place) -> tuple[Candidate, ...]:
    if not isinstance(candidates, list) or len(candidates) < 2:
        place.fail(candidates, 'it must be a list of two or more objects with kernel and expansion')
    blocks = []
    for i, candidate in enumerate(candidates):
        check_object(candidate, place[i], ('kernel', 'expansion'))
        for field in ('kernel', 'expansion'):
            _check_count(candidate[field], place[i][field], MOST[field])
        if candidate['kernel'] % 2 == 0:
            place[i]['kernel'].fail(candidate['kernel'], 'a kernel must be odd, to keep the resolution')
        blocks.append(Candidate(**candidate))
        if blocks[-1] in blocks[:-1]:
            place[i].fail(candidate, 'it must be there once')
    return tuple(blocks)


def scaled_width(width: int, width_mult: float) -> int:
    """A width times ``width_mult``; unless ``width_mult`` is 1, rounded to a multiple of 8."""
    return width if width_mult == 1 else make_divisible(width * width_mult, 8)


def searched_layers(layout: LayoutSpec, width_mult: float = 1., strides: Sequence[int] | None = None
                    ) -> list[Layer]:
    """The searched layers of a layout, first to last.

    Args:
        layout: anything that :func:`get_layout` takes.
        width_mult (float): multiplies every width (rounded to a multiple of 8).
        strides (sequence of int, optional): the stride of each stage, instead
            of the layout's strides, so that small images keep some resolution.

    The identity is legal in every layer of a stage but the first: there the
    stride is 1 and the widths are equal. ``width_mult`` and ``strides`` don't
    change this, since the choices of a space don't depend on its scale.
    """
    table = get_layout(layout)
    strides = tuple(table.strides if strides is None else strides)
    if len(strides) != len(table.widths) or any(stride not in (1, 2) for stride in strides):
        raise ValueError(f'strides={strides!r}: {table.name} takes {len(table.widths)} strides of 1 or 2, one per '
                         'stage')
    blocks = tuple(candidate.name for candidate in table.candidates)
    inside = blocks if table.identity == 'none' else (*blocks, IDENTITY)
    first = (*blocks, PROJECTION) if table.identity == 'projection' else blocks
    layers = []
    channels = scaled_width(table.stem_width if table.first_width is None else table.first_width, width_mult)
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
                    choices=first if i == 0 else inside))
            channels = width
    return layers


def by_stage(layers: list[Layer]) -> list[list[Layer]]:
    """The layers of each stage."""
    return [list(group) for _, group in groupby(layers, attrgetter('stage'))]


def stage_widths(table: Layout, layers: list[Layer], width_mult: float) -> tuple[int, ...]:
    """The channels of the stages' outputs in a network of these layers."""
    widths = [group[-1].out_channels for group in by_stage(layers)]
    if table.last_width is not None:
        widths[-1] = scaled_width(table.last_width, width_mult)
    return tuple(widths)


def mbconv_blocks(layout: LayoutSpec) -> dict[str, tuple[str, ...]]:
    """The blocks of the networks of a layout: name -> paths of its modules."""
    table = get_layout(layout)
    layers = searched_layers(table)
    blocks = {'stem': ('stem', 'first'), **{layer.name: (f'layers.{layer.name}', ) for layer in layers}}
    if table.last_width is not None:
        blocks[layers[-1].name] += ('last', )
    return blocks
