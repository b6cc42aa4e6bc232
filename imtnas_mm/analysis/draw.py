"""Pictures of architectures, as SVG and PNG."""
from matplotlib.patches import FancyBboxPatch, Patch

from ..spaces.cells.picture import TITLES as CELL_SPACE_TITLES
from ..spaces.cells.picture import draw_cells
from ..spaces.mbconv.layout import IDENTITY, get_layout, kernel_and_expansion, scaled_width, searched_layers
from .draw_sharing import sharing_figure
from .picture import FAINT, FIXED, FIXED_EDGE, INK, blank, heading, layer_label, legend, note, write_picture

COLOURS = {3: '#9ecae8', 6: '#f6b26b'}  # of an expansion
EDGES = {3: '#3b78a8', 6: '#b8701f'}
HEIGHTS = {3: 1.15, 5: 1.65, 7: 2.15}  # of a kernel, inches; tall enough for its label
BOX, GAP, STAGE_GAP = .34, .13, .30  # inches
TITLES = {'fairnas19': 'FairNAS-19', 'proxyless21': 'ProxylessNAS-21', **CELL_SPACE_TITLES}


def draw_genotype(genotype, path_stem, title=None, **options):
    """Draw an architecture.

    Args:
        genotype (Genotype): of any space in ``DRAWERS``.
        path_stem (str | Path): the files are this with ``.svg`` and ``.png``.
        title (str, optional): goes behind the name of the space; by default
            what the genotype's source says.
        options: of the network, where they are not the space's own; for the
            MBConv spaces ``width_mult``, ``stem_stride``, ``strides``.

    Returns:
        tuple[Path]: the SVG and the PNG; of an architecture with ``sharing``
        also those of what the tasks share, ``<stem>_sharing``.
    """
    if genotype.space not in DRAWERS:
        raise ValueError(f'space={genotype.space!r} has no drawing; those of {", ".join(DRAWERS)} have')
    title = source_title(genotype) if title is None else title
    paths = write_picture(path_stem, lambda: DRAWERS[genotype.space](genotype, title, **options))
    if genotype.sharing is None:
        return paths
    name = TITLES[genotype.space]
    return paths + write_picture(f'{path_stem}_sharing', lambda: sharing_figure(genotype, name, title))


def source_title(genotype):
    """Where an architecture is from, in a few words: a published name, or the search's config and iteration."""
    source = genotype.source or {}
    parts = [str(source[key]) for key in ('name', 'config') if key in source]
    if 'iteration' in source:
        parts.append(f'iteration {source["iteration"]}')
    return ', '.join(parts)


def draw_mbconv(genotype, title, width_mult=1., stem_stride=2, strides=None):
    """Left to right: a box a layer, its height the kernel, its colour the expansion, a bar for the identity."""
    layout = get_layout(genotype.space)
    searched = searched_layers(genotype.space, width_mult, strides)
    choices = genotype.architecture['layers']
    stages = len(layout.widths)
    boxes = len(searched) + 2  # the stem and the separable convolution come first
    width = boxes * (BOX + GAP) + (stages + 1) * STAGE_GAP + .8
    row = .25 if genotype.importance else 0  # of the probabilities
    height = max(HEIGHTS.values()) + row + 1.65
    figure, axes = blank(width, height)
    middle = height - .8 - max(HEIGHTS.values()) / 2
    lowest = middle - max(HEIGHTS.values()) / 2
    brackets = lowest - row - .2

    heading(axes, TITLES[genotype.space], title)
    legend(axes, [Patch(facecolor=COLOURS[e], edgecolor=EDGES[e], label=f'expansion {e}') for e in COLOURS])

    x = .4
    axes.annotate('', (width - .3, middle), (x, middle), zorder=0,
                  arrowprops=dict(arrowstyle='->', color=FAINT, lw=1, shrinkA=0, shrinkB=0))
    stem = scaled_width(layout.stem_width, width_mult)
    first = scaled_width(layout.first_width, width_mult)
    start = x
    for label in ('Conv 3×3', 'SepConv 3×3'):
        box(axes, x, middle, HEIGHTS[3], label, FIXED, FIXED_EDGE)
        x += BOX + GAP
    bracket(axes, start, x - GAP, brackets, 'fixed', f'{stem}, {first} ch', stem_stride)
    if genotype.importance:
        note(axes, (start + x - GAP) / 2, lowest - .16, 'probability')
    total_stride = stem_stride

    for stage in range(stages):
        x += STAGE_GAP
        start = x
        for layer, choice in zip(searched, choices, strict=True):
            if layer.stage != stage:
                continue
            total_stride *= layer.stride
            if choice == IDENTITY:
                bar(axes, x, middle, IDENTITY)
            else:
                kernel, expansion = kernel_and_expansion(choice)
                box(axes, x, middle, HEIGHTS[kernel], layer_label(choice), COLOURS[expansion], EDGES[expansion])
            if genotype.importance:
                probability = genotype.importance[layer.name][layer.choices.index(choice)]
                note(axes, x + BOX / 2, lowest - .16, f'{probability:.2f}')
            x += BOX + GAP
        channels = scaled_width(layout.widths[stage], width_mult)
        bracket(axes, start, x - GAP, brackets, f'stage {stage}', f'{channels} ch', total_stride)
    return figure


def box(axes, x, middle, height, label, colour, edge):
    axes.add_patch(FancyBboxPatch((x, middle - height / 2), BOX, height, boxstyle='round,pad=0,rounding_size=.05',
                                  facecolor=colour, edgecolor=edge, lw=1))
    axes.text(x + BOX / 2, middle, label, rotation=90, size=9, ha='center', va='center', color=INK)


def bar(axes, x, middle, label):
    axes.plot([x, x + BOX], [middle, middle], color=INK, lw=3, solid_capstyle='round')
    axes.text(x + BOX / 2, middle + .1, label, rotation=90, size=9, ha='center', va='bottom', color=FAINT)


def bracket(axes, left, right, y, name, channels, stride):
    """What the boxes from left to right have in common."""
    axes.plot([left, left, right, right], [y + .07, y, y, y + .07], color=FAINT, lw=1)
    for i, (text, colour) in enumerate(((name, INK), (channels, FAINT), (f'stride {stride}', FAINT))):
        note(axes, (left + right) / 2, y - .13 - .15 * i, text, colour)


# space name -> drawer(genotype, title, **options) -> Figure
DRAWERS = {
    'fairnas19': draw_mbconv,
    'proxyless21': draw_mbconv,
    **{space: draw_cells for space in ('darts', 'pdarts', 'pcdarts', 'prdarts')},
}
