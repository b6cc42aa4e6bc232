"""The accuracies of an experiment's architectures while they were searched: mean and spread over seeds, a line per row.
"""
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..picture import FAINT, INK, put_title
from .declaration import Experiment, metric_of
from .equal_cost import EqualCost
from .figure import COLOURS
from .report import mean_and_deviation, shown

Curve = list[tuple[int, float, float, int]]  # x, mean, sample standard deviation, number of runs
AXES = dict(iteration='iterations of the search', queries='queries of the table')  # a history has one of them
STYLES = ('-', '--', ':', (0, (6, 1, 1, 1, 1, 1)), (0, (3, 3)))
MANY = 6  # curves; the bands of more hide one another
BEST = 'best of the table'


def curves_of(experiment: Experiment, finished: Mapping[str, list[dict[str, Any]]],
              column: dict[str, Any]) -> dict[str, dict[str, Curve]]:
    """``'iteration'`` or ``'queries'`` -> row -> its curve.

    The places are those of all runs of the row. At each place a run has its last accuracy up to there, if it has any.

    Args:
        experiment (Experiment): the rows.
        finished (dict): of :func:`~.report.finished_seeds`.
        column (dict): of the experiment; a metric of a table.
    """
    by_axis: dict[str, dict[str, Curve]] = {}
    for row in experiment.rows:
        if experiment.drawn_rows and row['name'] not in experiment.drawn_rows:
            continue
        results = [seed['results'].get(column['evaluation'], {}) for seed in finished.get(row['name'], [])]
        results = [result for result in results if 'history' in result]
        if not results:
            continue
        axis = _axis(results[0])
        runs = [_run(result, column) for result in results]
        places = sorted({x for run in runs for x in run})
        curve = []
        for x in places:
            values = [run[max(before)] for run in runs if (before := [place for place in run if place <= x])]
            curve.append((x, *mean_and_deviation(values), len(values)))
        by_axis.setdefault(axis, {})[row['name']] = curve
    return by_axis


def _axis(result: dict[str, Any]) -> str:
    return next(axis for axis in AXES if axis in result['history'])


def _run(result: dict[str, Any], column: dict[str, Any]) -> dict[int, float]:
    history, metric = result['history'], metric_of(column['metric'])
    values = result['accuracies'][metric]
    if column['metric'].startswith('regret/'):
        values = [result['table']['best'][metric] - value for value in values]
    return {x: shown(column, value) for x, value in zip(history[_axis(result)], values, strict=True)}


class Level(NamedTuple):
    """A line across a figure: its label, its place, and whether it is the best that there is."""
    label: str
    value: float
    best: bool = False


def levels_of(finished: Mapping[str, list[dict[str, Any]]], column: dict[str, Any],
              equal_cost: EqualCost | None = None) -> list[Level]:
    """Random search's expectation and the best of the table, as the column shows them; nothing without a lookup.

    The expectation is the mean of all architectures of the table; where ``equal_cost`` leaves out those with a choice
    that no search takes, another line is the mean of the others.
    """
    metric = metric_of(column['metric'])
    for seeds in finished.values():
        for seed in seeds:
            table = seed['results'].get(column['evaluation'], {}).get('table')
            if table is not None:
                best = table['best'][metric]

                def level(label: str, value: float, of: float = best) -> Level:
                    value = of - value if column['metric'].startswith('regret/') else value
                    return Level(label, shown(column, value), label == BEST)

                levels = [level('random architecture (mean of the table)', table['mean'][metric])]
                without = equal_cost['settings']['without'] if equal_cost else None
                if equal_cost and without is not None and column['name'] in equal_cost['columns']:
                    costs = equal_cost['columns'][column['name']]['levels']
                    total = sum(cost['architectures'] for cost in costs)
                    levels.append(level(f'random architecture without {without}',
                                        sum(cost['architectures'] * cost['mean'] for cost in costs) / total))
                return [*levels, level(BEST, best)]
    return []


def has_curves(experiment: Experiment, finished: Mapping[str, list[dict[str, Any]]]) -> bool:
    """Whether any run has a history of a column of ``experiment.curves``."""
    return any(curves_of(experiment, finished, column) for column in experiment.columns
               if column['name'] in experiment.curves)


def curves_figure(experiment: Experiment, finished: Mapping[str, list[dict[str, Any]]],
                  equal_cost: EqualCost | None = None) -> Figure:
    """A panel for each column of ``experiment.curves``, and beside it one for rows that query the table.

    Args:
        experiment (Experiment), finished (dict): for which :func:`has_curves` is true.
        equal_cost (EqualCost, optional): for the levels, see :func:`levels_of`.
    """
    columns = [column for column in experiment.columns if column['name'] in experiment.curves]
    curves = {column['name']: curves_of(experiment, finished, column) for column in columns}
    kinds = [axis for axis in AXES if any(axis in by_axis for by_axis in curves.values())]
    height = 3.2 * len(columns) + .26 * math.ceil((len(experiment.drawn_rows or finished) + 2) / 3) + .5
    figure = Figure(figsize=(6.4 if len(kinds) == 1 else 10.4, height), layout='constrained')
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(columns), len(kinds), squeeze=False, sharey='row', sharex='col',
                             width_ratios=[1.8, 1][:len(kinds)] if len(kinds) > 1 else [1])
    handles: dict[str, Any] = {}
    drawn = [row['name'] for row in experiment.rows
             if any(row['name'] in by_row for by_axis in curves.values() for by_row in by_axis.values())]
    for column, row_of_panels in zip(columns, panels, strict=True):
        for axis, axes in zip(kinds, row_of_panels, strict=True):
            _draw(axes, axis, curves[column['name']].get(axis, {}), drawn, experiment.ours, handles)
            for level in levels_of(finished, column, equal_cost):
                line = axes.axhline(level.value, color=INK if level.best else FAINT, lw=1, label=level.label,
                                    linestyle=':' if ' without ' in level.label else '-.', gid=level.label)
                handles.setdefault(level.label, line)
        row_of_panels[0].set_ylabel(column['name'], color=INK)
    for axis, axes in zip(kinds, panels[-1], strict=True):
        axes.set_xlabel(AXES[axis])
    figure.legend(handles=list(handles.values()), loc='outside lower center', ncols=3 if len(kinds) > 1 else 2,
                  frameon=False, fontsize=8.5)
    put_title(figure, experiment.title)
    panels[0][0].set_title('mean and sample standard deviation of the runs', size=9, color=FAINT)
    return figure


def _draw(axes: Axes, axis: str, curves: dict[str, Curve], rows: list[str], ours: str | None,
          handles: dict[str, Any]) -> None:
    """The curves; a row has one colour and style in all panels. A sampler's curve stays level until a better query.

    The deviation is a band; of many curves only ours has one, and the others have a bar at their end.
    """
    steps, many = 'post' if axis == 'queries' else None, len(curves) > MANY
    longest = max((curve[-1][0] for curve in curves.values()), default=0)
    for number, (name, curve) in enumerate(curves.items()):
        place = rows.index(name)
        colour, style = COLOURS[place % len(COLOURS)], STYLES[place // len(COLOURS) % len(STYLES)]
        x, mean, deviation, _ = zip(*curve, strict=True)
        spread = [0. if math.isnan(value) else value for value in deviation]
        line, = axes.plot(x, mean, color=colour, linestyle=style, lw=2.4 if many and name == ours else 1.6, label=name,
                          gid=name, drawstyle='steps-post' if steps else 'default', zorder=3 if name == ours else 2)
        if many and name != ours:
            axes.errorbar([x[-1] + .012 * longest * (1 + number)], [mean[-1]], yerr=[spread[-1]], color=colour, fmt='o',
                          ms=2.5, lw=1, capsize=2)
        else:
            axes.fill_between(x, [m - d for m, d in zip(mean, spread, strict=True)],
                              [m + d for m, d in zip(mean, spread, strict=True)], color=colour, alpha=.15, lw=0,
                              step=steps)
        handles.setdefault(name, line)
    axes.grid(axis='y', color='#e6e6e6', lw=.8)
    axes.set_axisbelow(True)
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)
