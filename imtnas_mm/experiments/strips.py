"""Every run of every row as a point on the axis of a column: a strip plot, the best row first."""
from collections.abc import Mapping
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..picture import FAINT, INK, put_title
from .curves import levels_of
from .declaration import Experiment
from .equal_cost import EqualCost
from .figure import COLOURS
from .report import mean_and_deviation, values_of
from .statistics import less_is_better

PITCH = .24  # of a row, inches


def strips_of(experiment: Experiment, finished: Mapping[str, list[dict[str, Any]]], name: str
              ) -> list[tuple[str, list[float]]]:
    """(row, the figure of each of its runs) of a column, the row of the best mean first.

    Args:
        experiment (Experiment): with the column.
        finished (dict): of :func:`~.report.finished_seeds`.
        name (str): of the column.
    """
    columns = {column['name']: column for column in experiment.columns}
    strips = [(row['name'], list(values_of(columns[name], finished.get(row['name'], []), experiment.columns)))
              for row in experiment.rows if not experiment.drawn_rows or row['name'] in experiment.drawn_rows]
    sign = 1 if less_is_better(columns[name], columns) else -1
    return sorted(((row, values) for row, values in strips if values),
                  key=lambda strip: sign * mean_and_deviation(strip[1])[0])


def has_strips(experiment: Experiment, finished: Mapping[str, list[dict[str, Any]]]) -> bool:
    """Whether any run has a column of ``experiment.strips``."""
    return any(strips_of(experiment, finished, name) for name in experiment.strips)


def strips_figure(experiment: Experiment, finished: Mapping[str, list[dict[str, Any]]],
                  equal_cost: EqualCost | None = None) -> Figure:
    """A panel per column of ``experiment.strips``.

    Args:
        experiment (Experiment), finished (dict): for which :func:`has_strips` is true.
        equal_cost (EqualCost, optional): for the levels of the table.
    """
    panels = {name: strips for name in experiment.strips if (strips := strips_of(experiment, finished, name))}
    rows = max(map(len, panels.values()))
    figure = Figure(figsize=(7.2, len(panels) * (PITCH * rows + 1.) + .5), layout='constrained')
    FigureCanvasAgg(figure)
    for axes, (name, strips) in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels.items(), strict=True):
        for place, (row, values) in enumerate(strips):
            colour = COLOURS[1] if row == experiment.ours else COLOURS[0]
            axes.plot(values, [place] * len(values), 'o', color=colour, alpha=.35, ms=5, mew=0, gid=row)
            axes.plot([mean_and_deviation(values)[0]], [place], '|', color=colour, ms=11, mew=2.2)
        column = next(column for column in experiment.columns if column['name'] == name)
        for level in levels_of(finished, column, equal_cost):
            axes.axvline(level.value, color=INK if level.best else FAINT, lw=1, label=level.label,
                         linestyle=':' if ' without ' in level.label else '-.')
        axes.set_yticks(range(len(strips)), [row for row, _ in strips], fontsize=8.5)
        axes.set_ylim(len(strips) - .4, -.6)
        axes.set_xlabel(name, color=INK)
        axes.grid(axis='y', color='#e6e6e6', lw=.8)
        axes.set_axisbelow(True)
        for side in ('top', 'right'):
            axes.spines[side].set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc='outside lower center', ncols=2, frameon=False, fontsize=8.5)
    put_title(figure, f'{experiment.title}: each run, and the mean of each row')
    return figure
