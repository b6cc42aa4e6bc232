"""Draws the figure of an experiment: columns of its table over the ``x`` of its rows."""
import math
from collections.abc import Mapping
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from ..picture import FAINT, INK, put_title
from .declaration import Experiment
from .report import mean_and_deviation, values_of

Points = dict[str, list[tuple[float, float, float, int]]]  # of a column: x, mean, deviation, number of runs
COLOURS = ('#1f5fa8', '#c2571a', '#2f8f5b', '#7a4fb0', '#8a6d00', '#b03060')
MARKERS = 'osD^vP'
MOST_TICKS = 8


def figure_points(experiment: Experiment, finished: Mapping[str, list[dict[str, Any]]]) -> Points:
    """The points of the experiment's figure.

    Args:
        experiment (Experiment): with a ``figure``.
        finished (dict): of :func:`~.report.finished_seeds`.

    Returns:
        dict: name of a column of the figure -> ``(x, mean, sample standard
        deviation, n)`` of each row that has runs, by x. With one run the
        deviation is nan.
    """
    settings: Any = experiment.figure
    points: Points = {}
    for column in experiment.columns:
        if column['name'] not in (*settings['left'], *settings['right']):
            continue
        of_rows = []
        for row in experiment.rows:
            values = values_of(column, finished.get(row['name'], []), experiment.columns)
            if values:
                of_rows.append((row['x'], *mean_and_deviation(values), len(values)))
        points[column['name']] = sorted(of_rows)
    return points


def report_figure(experiment: Experiment, points: Points) -> Figure:
    """Mean and sample standard deviation of each column, on the axis named in ``experiment.figure``.

    Args:
        experiment (Experiment): with a ``figure``.
        points (dict): of :func:`figure_points`, at least one.
    """
    settings: Any = experiment.figure
    sides = [(side, settings[side]) for side in ('left', 'right') if settings[side]]
    figure = Figure(figsize=(6.4, 4.2), layout='constrained')
    FigureCanvasAgg(figure)
    first = figure.add_subplot()
    handles = []
    for side, names in sides:
        axes = first if side == 'left' else first.twinx()
        for name in names:
            style = len(handles) % len(COLOURS)
            x, mean, deviation, _ = zip(*points[name], strict=True) if points[name] else [()] * 4
            handles.append(axes.errorbar(
                x, mean, [0 if math.isnan(value) else value for value in deviation], color=COLOURS[style],
                marker=MARKERS[style], linestyle='-' if side == 'left' else '--', markersize=5, lw=1.5, capsize=3,
                label=name, gid=name))
        axes.set_ylabel(', '.join(names), color=handles[-1][0].get_color() if len(names) == 1 else INK)
        axes.spines.top.set_visible(False)
    first.set_xlabel(settings['x'])
    first.grid(axis='y', color='#e6e6e6', lw=.8)
    first.set_axisbelow(True)
    places = sorted({x for of_rows in points.values() for x, *_ in of_rows})
    if settings['log']:
        first.set_xscale('log')
    if len(places) <= MOST_TICKS:
        first.xaxis.set_major_locator(FixedLocator(places))
        first.xaxis.set_minor_locator(NullLocator())
        first.xaxis.set_major_formatter(lambda x, _: f'{x:g}')
    elif not settings['log']:
        first.xaxis.set_major_locator(MaxNLocator(MOST_TICKS))
    if len(handles) > 1:
        figure.legend(handles=handles, loc='outside lower center', ncols=2, frameon=False, fontsize=9)
    runs = [n for of_rows in points.values() for *_, n in of_rows]
    n = f'{min(runs)}' if min(runs) == max(runs) else f'{min(runs)} to {max(runs)}'
    put_title(figure, experiment.title)
    first.set_title(f'mean ± sample standard deviation, n = {n}', size=9, color=FAINT)
    return figure
