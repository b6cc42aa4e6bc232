"""Draws MBConv architectures as rows of boxes. Lengths are inches, y goes up."""
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ...genotype import Genotype
from ...importance import UNSURE, lead, multiple
from ...picture import (
    FAINT,
    FIXED,
    FIXED_EDGE,
    INK,
    MARGIN,
    UNSURE_NOTE,
    Colours,
    blank,
    draw_box,
    heading,
    heading_width,
    legend,
    note,
)
from .architecture import layer_label
from .layout import IDENTITY, PROJECTION, Layout, kernel_and_expansion, scaled_width, searched_layers

COLOURS: dict[int, Colours] = {3: ('#9ecae8', '#3b78a8'), 6: ('#f6b26b', '#b8701f')}  # expansion -> fill, edge
OTHERS = (('#b5d9a3', '#4f8a3c'), ('#d8c7ea', '#7d5ba6'), ('#f4c2cf', '#b04a67'), ('#efe08a', '#998614'))
LOWEST = 1.15  # room for a label
BOX, GAP, STAGE_GAP = .34, .13, .30


def box_height(kernel: int) -> float:
    """The height of a box grows with its kernel and leaves room for its label."""
    return max(LOWEST, .4 + .25 * kernel)


def expansion_colours(layout: Layout) -> dict[int, Colours]:
    """The colours of each expansion of a layout; colours repeat beyond six expansions."""
    expansions = sorted({candidate.expansion for candidate in layout.candidates})
    others = [expansion for expansion in expansions if expansion not in COLOURS]
    return {expansion: COLOURS.get(expansion) or OTHERS[others.index(expansion) % len(OTHERS)]
            for expansion in expansions}


def draw_mbconv(layout: Layout, name: str, genotype: Genotype, title: str, width_mult: float = 1.,
                stem_stride: int = 2, strides: Sequence[int] | None = None) -> Figure:
    """Left to right: one box per layer. Its height shows the kernel, its colour the expansion; a bar is the identity.

    Below each is its weight as a multiple of the uniform one. A choice no better than chance is pale and dashed.

    Args:
        layout (Layout): the layout of the architecture.
        name (str): the name of the space.
        genotype (Genotype): the architecture.
        title (str): follows the name.
        width_mult, stem_stride, strides: options of the network.
    """
    searched = searched_layers(layout, width_mult, strides)
    colours = expansion_colours(layout)
    highest = max(box_height(candidate.kernel) for candidate in layout.candidates)
    choices = genotype.architecture['layers']
    stages = len(layout.widths)
    first = ('Conv 3×3', ) if layout.first_width is None else ('Conv 3×3', 'SepConv 3×3')
    has_last = layout.last_width is not None
    boxes = len(searched) + len(first) + has_last
    width = boxes * (BOX + GAP) + (stages + 1 + has_last) * STAGE_GAP + .8
    row = .25 if genotype.importance else 0  # of the weights
    height = highest + row + 1.65
    figure, axes = blank(max(width, heading_width(name, title, len(colours))), height)
    middle = height - .8 - highest / 2
    lowest = middle - highest / 2
    brackets = lowest - row - .2

    heading(axes, name, title)
    legend(axes, [Patch(facecolor=fill, edgecolor=edge, label=f'expansion {expansion}')
                  for expansion, (fill, edge) in colours.items()])

    x = .4
    axes.annotate('', (width - .3, middle), (x, middle), zorder=0,
                  arrowprops=dict(arrowstyle='->', color=FAINT, lw=1, shrinkA=0, shrinkB=0))
    widths = [scaled_width(w, width_mult) for w in (layout.stem_width, layout.first_width) if w is not None]
    start = x
    for label in first:
        box(axes, x, middle, box_height(3), label, FIXED, FIXED_EDGE)
        x += BOX + GAP
    bracket(axes, start, x - GAP, brackets, 'fixed', f'{", ".join(map(str, widths))} ch', stem_stride)
    if genotype.importance:
        note(axes, MARGIN, lowest - .16, 'of uniform', ha='left')
    total_stride = stem_stride
    dashed = False

    for stage in range(stages):
        x += STAGE_GAP
        start = x
        for layer, choice in zip(searched, choices, strict=True):
            if layer.stage != stage:
                continue
            total_stride *= layer.stride
            unsure = False
            if genotype.importance:
                weights, taken = genotype.importance[layer.name], layer.choices.index(choice)
                unsure = lead(weights, taken) < UNSURE
                dashed |= unsure
                note(axes, x + BOX / 2, lowest - .16, multiple(weights[taken], len(weights)))
            if choice == IDENTITY:
                bar(axes, x, middle, IDENTITY, unsure)
            elif choice == PROJECTION:
                box(axes, x, middle, LOWEST, PROJECTION, '#ffffff', INK, unsure)
            else:
                kernel, expansion = kernel_and_expansion(choice)
                box(axes, x, middle, box_height(kernel), layer_label(choice), *colours[expansion], unsure)
            x += BOX + GAP
        channels = scaled_width(layout.widths[stage], width_mult)
        bracket(axes, start, x - GAP, brackets, f'stage {stage}', f'{channels} ch', total_stride)
    if layout.last_width is not None:
        x += STAGE_GAP
        box(axes, x, middle, LOWEST, 'Conv 1×1', FIXED, FIXED_EDGE)
        bracket(axes, x, x + BOX, brackets, 'fixed', f'{scaled_width(layout.last_width, width_mult)} ch', total_stride)
    if dashed:
        note(axes, MARGIN, height - .56, UNSURE_NOTE, ha='left', size=8.5)
    return figure


def box(axes: Axes, x: float, middle: float, height: float, label: str, colour: str, edge: str,
        unsure: bool = False) -> None:
    """A box with an upright label."""
    draw_box(axes, (x + BOX / 2, middle, BOX, height), colour, edge, '', unsure=unsure)
    axes.text(x + BOX / 2, middle, label, rotation=90, size=9, ha='center', va='center', color=INK)


def bar(axes: Axes, x: float, middle: float, label: str, unsure: bool = False) -> None:
    """A thick line with an upright label above it."""
    if unsure:
        axes.plot([x, x + BOX], [middle, middle], color='#ffffff', lw=3)  # hides the arrow
    axes.plot([x, x + BOX], [middle, middle], color=INK, lw=3, solid_capstyle='round',
              linestyle=(0, (1.2, 1)) if unsure else '-')
    axes.text(x + BOX / 2, middle + .1, label, rotation=90, size=9, ha='center', va='bottom', color=FAINT)


def bracket(axes: Axes, left: float, right: float, y: float, name: str, channels: str, stride: int) -> None:
    """A bracket below the boxes from left to right, with their common name, channels and stride."""
    axes.plot([left, left, right, right], [y + .07, y, y, y + .07], color=FAINT, lw=1)
    for i, (text, colour) in enumerate(((name, INK), (channels, FAINT), (f'stride {stride}', FAINT))):
        note(axes, (left + right) / 2, y - .13 - .15 * i, text, colour)
