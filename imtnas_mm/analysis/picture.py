"""What the pictures of architectures have in common; lengths are inches."""
from pathlib import Path

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.patheffects import withStroke

FIXED, FIXED_EDGE, INK, FAINT = '#e3e3e3', '#8a8a8a', '#222222', '#6b6b6b'
MARGIN = .4
HEAD = .09  # of an arrow
WEIGHTS = LinearSegmentedColormap.from_list('weights', ['#ffffff', '#9ecae8', '#1d4f7c'])
PALE = .3  # at least this much is a weight of the darkest colour, so that equal ones stay pale
ROW, COLUMN = .235, .355  # of a heat map


def write_picture(path_stem, draw):
    """Write what ``draw()`` returns, a Figure, with ``.svg`` and ``.png`` behind the stem; returns the two paths."""
    stem = Path(path_stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    svg, png = (stem.with_name(stem.name + suffix) for suffix in ('.svg', '.png'))
    # text stays text in the SVG: it can be searched, and the same architecture gives the same file
    with rc_context({'svg.fonttype': 'none', 'svg.hashsalt': 'imtnas_mm', 'font.family': 'DejaVu Sans'}):
        figure = draw()
        figure.savefig(svg, metadata=dict(Date=None))
        figure.savefig(png, dpi=150)
    return svg, png


def blank(width, height):
    """A figure, and axes in inches that fill it."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis('off')
    return figure, axes


def heading(axes, name, title, x=MARGIN, y=None, size=12):
    """A bold name with a faint title behind it, by default at the top of the picture."""
    y = axes.get_ylim()[1] - .3 if y is None else y
    head = axes.annotate(name, (x, y), size=size, weight='bold', va='center', color=INK)
    if title:
        axes.annotate(title, (1, .5), (size, 0), xycoords=head, textcoords='offset points', size=size - 1,
                      va='center', color=FAINT)


def legend(axes, handles):
    """In one row, right of the heading."""
    right, top = axes.get_xlim()[1] - MARGIN, axes.get_ylim()[1] - .3
    axes.legend(handles=handles, loc='center right', bbox_to_anchor=(right, top), bbox_transform=axes.transData,
                ncols=len(handles), frameon=False, fontsize=8.5, borderaxespad=0, borderpad=0,
                handlelength=1.2, columnspacing=1.2)


def note(axes, x, y, text, colour=FAINT, size=7.5, **options):
    return axes.text(x, y, text, **{**dict(size=size, ha='center', va='center', color=colour), **options})


def draw_route(axes, points, colour, name, arrow=False):
    """Curves and straight lines by turns; where two of them cross, the later one passes over the earlier.

    An arrow points right or left.
    """
    x, y = points[-1]
    head = HEAD if x > points[-2][0] else -HEAD
    if arrow:
        points = [*points[:-1], (x - head / 2, y)]
    vertices, codes = [points[0]], [Outline.MOVETO]
    for i, (start, end) in enumerate(zip(points, points[1:], strict=False)):
        if i % 2:
            vertices.append(end)
            codes.append(Outline.LINETO)
        else:
            middle = (start[0] + end[0]) / 2
            vertices += [(middle, start[1]), (middle, end[1]), end]
            codes += [Outline.CURVE4] * 3
    axes.add_patch(PathPatch(Outline(vertices, codes), edgecolor=colour, facecolor='none', lw=1.4, capstyle='butt',
                             gid=name, path_effects=[withStroke(linewidth=3.6, foreground='#ffffff')]))
    if arrow:
        axes.add_patch(Polygon([(x, y), (x - head, y + HEAD / 2), (x - head, y - HEAD / 2)], facecolor=colour, lw=0,
                               gid=f'{name}-head'))


def draw_box(axes, box, fill, edge, name, rounding=.05):
    x, y, width, height = box
    axes.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, facecolor=fill, edgecolor=edge,
                                  boxstyle=f'round,pad=0,rounding_size={rounding}', lw=1, gid=name, zorder=2))


def weight_square(axes, x, y, weight, highest, name):
    """A square of a heat map, its lower left corner at (x, y); the colour of ``highest`` is the darkest."""
    share = weight / highest
    axes.add_patch(Rectangle((x, y), COLUMN, ROW, facecolor=WEIGHTS(share), edgecolor='#d5d5d5', lw=.5, gid=name))
    note(axes, x + COLUMN / 2, y + ROW / 2 - .01, f'{weight:.2f}', '#ffffff' if share > .7 else INK, size=7)


def operation_label(operation):
    """``'sep_conv_3x3'`` -> ``'sep conv 3×3'``."""
    return operation.replace('_', ' ').replace('3x3', '3×3').replace('5x5', '5×5')
