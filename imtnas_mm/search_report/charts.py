"""The charts of a search's page: matplotlib's line charts as SVG that stands in an HTML file and scales with it."""
import io
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from ..picture import FAINT, INK

# eight hues that stay apart for colour-blind eyes; beyond them they repeat with dashes
COLOURS = ('#1f5fa8', '#d55e00', '#2f8f5b', '#b03060', '#8a6d00', '#56a6d6', '#7a4fb0', '#5b5b5b')
GRID = '#e6e6e6'
WIDTH, HEIGHT = 4.4, 2.5  # inches: on a phone a point of the chart is about a pixel
SMALL_WIDTH, SMALL_HEIGHT = 1.7, .95
STEEP = 100.  # the ratio of values from which an axis is logarithmic
STYLE: Any = {'svg.fonttype': 'none', 'svg.hashsalt': 'imtnas_mm', 'font.family': 'DejaVu Sans', 'font.size': 9}

Points = Sequence[tuple[float, float]]


class Curve(NamedTuple):
    """A line of a chart: its name, its points (x, y), and the place of its colour."""
    name: str
    points: Points
    colour: int = 0
    dashed: bool = False

    @property
    def hue(self) -> str:
        """Its colour as HTML writes it."""
        return COLOURS[self.colour % len(COLOURS)]

    @property
    def broken(self) -> bool:
        """Whether its line is dashed."""
        return self.dashed or self.colour >= len(COLOURS)


def line_chart(curves: Sequence[Curve], label: str, x_label: str, range_of_x: tuple[float, float]) -> str:
    """A chart with axes, as an ``<svg>``. Its y axis is logarithmic where :func:`is_steep`.

    Args:
        curves (list[Curve]): at least one with points.
        label (str): the text for screen readers.
        x_label (str): of the x axis.
        range_of_x (tuple[float]): of the axis, so that charts can be compared.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, HEIGHT))
        FigureCanvasSVG(figure)
        axes = figure.add_axes((.165, .17, .815, .79))
        _draw(axes, curves)
        values = [y for curve in curves for _, y in curve.points]
        if is_steep(curves) and min(values) > 0:
            axes.set_yscale('log')
        elif is_steep(curves):  # zero has a place, and then logarithmic over four decades
            axes.set_yscale('symlog', linthresh=max(values) / 1e4)
            axes.set_ylim(bottom=0)
        else:
            formatter = ScalarFormatter(useOffset=False)
            formatter.set_powerlimits((-4, 5))
            axes.yaxis.set_major_formatter(formatter)
            axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if range_of_x[1] >= 1e4:
            axes.xaxis.set_major_formatter(lambda x, _: f'{x / 1000:g}k' if x else '0')
        margin = .02 * (range_of_x[1] - range_of_x[0]) or .5
        axes.set_xlim(range_of_x[0] - margin, range_of_x[1] + margin)
        axes.set_xlabel(x_label, color=FAINT, labelpad=2)
        axes.grid(axis='y', color=GRID, lw=.8)
        axes.set_axisbelow(True)
        axes.tick_params(colors=FAINT, length=3)
        for side, spine in axes.spines.items():
            spine.set_visible(side in ('left', 'bottom'))
            spine.set_color('#b5b5b5')
        return _svg(figure, label)


def small_chart(curves: Sequence[Curve], label: str, range_of_y: tuple[float, float], level: float | None = None
                ) -> str:
    """A chart without axes, for many of a kind side by side, as an ``<svg>``.

    Args:
        curves (list[Curve]): with points.
        label (str): the text for screen readers.
        range_of_y (tuple[float]): lowest and highest value.
        level (float, optional): a dotted horizontal line.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(SMALL_WIDTH, SMALL_HEIGHT))
        FigureCanvasSVG(figure)
        axes = figure.add_axes((.01, .02, .98, .96))
        if level is not None:
            axes.axhline(level, color=INK, lw=.9, linestyle=':')
        _draw(axes, curves)
        axes.set_ylim(*range_of_y)
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_color('#d0d0d0')
        return _svg(figure, label)


def is_steep(curves: Sequence[Curve]) -> bool:
    """Whether no value is negative, and those that aren't 0 differ by a factor of ``STEEP``."""
    values = [y for curve in curves for _, y in curve.points]
    positive = [value for value in values if value > 0]
    return min(values) >= 0 and bool(positive) and max(positive) / min(positive) >= STEEP


def _draw(axes: Axes, curves: Sequence[Curve]) -> None:
    for curve in curves:
        if curve.points:
            x, y = zip(*curve.points, strict=True)
            axes.plot(x, y, color=curve.hue, lw=1.5, linestyle='--' if curve.broken else '-',
                      marker='o' if len(x) < 3 else '', markersize=3.5)


def _svg(figure: Figure, label: str) -> str:
    file = io.StringIO()
    figure.savefig(file, format='svg', metadata=dict(Date=None), transparent=True)
    return inline_svg(file.getvalue(), label)


def inline_svg(text: str, label: str) -> str:
    """The text of an SVG file as an element of an HTML page, without its size, metadata and needless digits.

    Its identifiers must still be made different from those of other charts of the page: :func:`with_prefix`.
    """
    text = text[text.index('<svg'):]
    text = re.sub(r'<metadata>.*?</metadata>', '', text, flags=re.DOTALL)
    head, rest = text.split('>', 1)
    head = re.sub(r'\s(width|height|xmlns(:xlink)?|version)="[^"]*"', '', head)
    rest = re.sub(r'(?<=\sd=")[^"]*', lambda match: re.sub(r'(\.\d)\d+', r'\1', match[0]), rest)
    rest = re.sub(r'\n\s*', '\n', rest).replace('xlink:href', 'href')
    rest = rest.replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")
    quoted = label.replace('&', '&amp;').replace('"', '&quot;').replace('<', '&lt;')
    return f'{head} role="img" aria-label="{quoted}">{rest}'.strip()


def with_prefix(svg: str, prefix: str) -> str:
    """An ``<svg>`` whose identifiers begin with ``prefix``: several of a page would else share their clip paths.

    Identifiers that nothing in it refers to go: a picture may have them twice.
    """
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub(r'\sid="([^"]+)"', lambda match: f' id="{prefix}{match[1]}"' if match[1] in used else '', svg)
    return re.sub(r'(url\(#|href="#)', rf'\g<1>{prefix}', svg)
