"""The drawing functions that all pictures of architectures share, on matplotlib; lengths are inches."""
import math
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.patheffects import withStroke
from matplotlib.text import Text

from .importance import UNSURE

FIXED, FIXED_EDGE, INK, FAINT = '#e3e3e3', '#8a8a8a', '#222222', '#6b6b6b'
MARGIN = .4
HEAD = .09  # the length of an arrow's head
WEIGHTS = LinearSegmentedColormap.from_list('weights', ['#ffffff', '#9ecae8', '#1d4f7c'])
PALE = 2.4  # times the uniform weight: the darkest colour stands for at least this, so that uniform ones stay pale
DASHED = (0, (2.5, 1.5))  # the outline of a choice that is no better than chance
UNSURE_NOTE = f'dashed: leads the next option by less than {math.expm1(UNSURE):.0%}'
TITLE_LETTERS = 9  # of a bold title, per inch
ROW, COLUMN = .235, .355  # of a heat map

Point = tuple[float, float]
Colours = tuple[str, str]  # fill, edge


def write_picture(path_stem: str | Path, draw: Callable[[], Figure]) -> tuple[Path, Path]:
    """Writes the figure that ``draw()`` returns as ``<stem>.svg`` and ``<stem>.png``; returns the two paths."""
    stem = Path(path_stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    svg, png = (stem.with_name(stem.name + suffix) for suffix in ('.svg', '.png'))
    # text stays text in the SVG, so it can be searched; the same architecture gives the same file
    with rc_context({'svg.fonttype': 'none', 'svg.hashsalt': 'imtnas_mm', 'font.family': 'DejaVu Sans'}):
        figure = draw()
        figure.savefig(svg, metadata=dict(Date=None))
        figure.savefig(png, dpi=150)
    return svg, png


def put_title(figure: Figure, text: str) -> None:
    """A bold title at the top of a figure, in as many lines as its width needs."""
    lines = textwrap.wrap(text, int(TITLE_LETTERS * figure.get_figwidth()))
    figure.suptitle('\n'.join(lines), size=11, weight='bold', color=INK)


def blank(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure, and axes in inches that fill it."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis('off')
    return figure, axes


def heading(axes: Axes, name: str, title: str | None, x: float = MARGIN, y: float | None = None,
            size: float = 12) -> None:
    """A bold name and a faint title after it, by default at the top of the picture."""
    y = axes.get_ylim()[1] - .3 if y is None else y
    head = axes.annotate(name, (x, y), size=size, weight='bold', va='center', color=INK)
    if title:
        axes.annotate(title, (1, .5), (size, 0), xycoords=head, textcoords='offset points', size=size - 1,
                      va='center', color=FAINT)


def heading_width(name: str, title: str | None, entries: int) -> float:
    """Inches that a heading and a legend of so many short entries take beside each other, generously."""
    return 2 * MARGIN + .12 * len(name) + .095 * len(title or '') + 1.2 * entries


def legend(axes: Axes, handles: Sequence[Artist]) -> None:
    """A legend in a row, right of the heading."""
    right, top = axes.get_xlim()[1] - MARGIN, axes.get_ylim()[1] - .3
    axes.legend(handles=handles, loc='center right', bbox_to_anchor=(right, top), bbox_transform=axes.transData,
                ncols=len(handles), frameon=False, fontsize=8.5, borderaxespad=0, borderpad=0,
                handlelength=1.2, columnspacing=1.2)


def note(axes: Axes, x: float, y: float, text: str, colour: str = FAINT, size: float = 7.5, **options: Any) -> Text:
    """A text, centred by default."""
    return axes.text(x, y, text, **{**dict(size=size, ha='center', va='center', color=colour), **options})


def draw_route(axes: Axes, points: Sequence[Point], colour: str, name: str, arrow: bool = False) -> None:
    """A route of alternating curves and straight lines. Where two routes cross, the later route lies on top.

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


def draw_box(axes: Axes, box: tuple[float, float, float, float], fill: str, edge: str, name: str,
             rounding: float = .05, unsure: bool = False) -> None:
    """A rounded box from the x and y of its centre, its width and its height.

    That of a choice which is no better than chance (``unsure``) is pale and has a dashed outline.
    """
    x, y, width, height = box
    axes.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, edgecolor=edge, lw=1, gid=name,
                                  facecolor=paler(fill) if unsure else fill, linestyle=DASHED if unsure else '-',
                                  boxstyle=f'round,pad=0,rounding_size={rounding}', zorder=2))


def paler(colour: str) -> str:
    """Two thirds of the way to white."""
    red, green, blue = to_rgb(colour)
    return to_hex(((red + 2) / 3, (green + 2) / 3, (blue + 2) / 3))


def weight_square(axes: Axes, x: float, y: float, weight: float, highest: float, name: str) -> None:
    """A square of a heat map with its weight, which may be a multiple of the uniform one.

    Its lower left corner is at (x, y); the colour of ``highest`` is the darkest.
    """
    share = weight / highest
    axes.add_patch(Rectangle((x, y), COLUMN, ROW, facecolor=WEIGHTS(share), edgecolor='#d5d5d5', lw=.5, gid=name))
    note(axes, x + COLUMN / 2, y + ROW / 2 - .01, f'{weight:.2f}', '#ffffff' if share > .7 else INK, size=7)


def operation_label(operation: str) -> str:
    """``'sep_conv_3x3'`` -> ``'sep conv 3×3'``."""
    return operation.replace('_', ' ').replace('3x3', '3×3').replace('5x5', '5×5')
