"""Accuracy against cost of the runs of an experiment: the runs that no other run beats, as a table and a picture."""
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..picture import FAINT, INK, put_title
from .declaration import Experiment
from .figure import COLOURS, MARKERS
from .markdown_table import table_lines
from .report import is_degenerate, number_text, value_of
from .statistics import less_is_better

NOTE = ('The runs, of all rows, that no other run beats: no run is at least as good in both figures and better '
        'in one. They are chosen by the figures that they show, among all runs.')
WIDTH = 4.6  # of a panel, inches


class Point(NamedTuple):
    """A run; ``degenerate`` as the experiment declares it."""
    row: str
    seed: int
    cost: float
    accuracy: float
    degenerate: bool = False


def pareto_points(experiment: Experiment, finished: Mapping[str, list[dict[str, Any]]], accuracy: str) -> list[Point]:
    """The runs that have both figures, in the order of rows and seeds.

    Args:
        experiment (Experiment): with a ``pareto``.
        finished (dict): of :func:`~.report.finished_seeds`.
        accuracy (str): a column of ``pareto['accuracy']``.
    """
    settings: Any = experiment.pareto
    columns = {column['name']: column for column in experiment.columns}
    points = []
    for row in experiment.rows:
        for result in finished.get(row['name'], []):
            cost, value = (value_of(columns[name], result, experiment.columns) for name in (settings['cost'], accuracy))
            if cost is not None and value is not None:
                degenerate = experiment.degenerate is not None and is_degenerate(experiment.degenerate, result)
                points.append(Point(row['name'], result['seed'], cost, value, bool(degenerate)))
    return points


def pareto_front(points: Sequence[Point], less: bool = False) -> list[Point]:
    """The points that no other point dominates, by cost; of equal points the first.

    Args:
        points (list[Point]): of which less cost is better.
        less (bool): whether less of the accuracy is better, too, as of an error.
    """
    sign = 1 if less else -1
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.cost, sign * point.accuracy)):
        if not front or sign * point.accuracy < sign * front[-1].accuracy:
            front.append(point)
    return front


def front_of(experiment: Experiment, points: Sequence[Point], accuracy: str) -> list[Point]:
    """The front of the points of a column."""
    columns = {column['name']: column for column in experiment.columns}
    return pareto_front(points, less_is_better(columns[accuracy], columns))


def has_pareto(experiment: Experiment, finished: Mapping[str, list[dict[str, Any]]]) -> bool:
    """Whether any run has a cost and an accuracy."""
    return experiment.pareto is not None and any(
        pareto_points(experiment, finished, name) for name in experiment.pareto['accuracy'])


def pareto_text(experiment: Experiment, finished: Mapping[str, list[dict[str, Any]]]) -> str:
    """The fronts as Markdown, a table per accuracy.

    Args:
        experiment (Experiment), finished (dict): for which :func:`has_pareto` is true.
    """
    settings: Any = experiment.pareto
    text = ''
    for name in settings['accuracy']:
        header = ('row', 'seed', settings['cost'], name)
        rows = [(point.row, str(point.seed), number_text(point.cost, ',.6g'), number_text(point.accuracy, '.2f'))
                for point in front_of(experiment, pareto_points(experiment, finished, name), name)]
        lines = [f'## {name} against {settings["cost"]}', '', *table_lines(header, rows)]
        text += '\n'.join(lines) + '\n\n'
    return f'{text}{NOTE}\n'


def pareto_figure(experiment: Experiment, finished: Mapping[str, list[dict[str, Any]]]) -> Figure:
    """A panel per accuracy: a point per run in the colour of its row, and a line along the front.

    Degenerate runs, whose accuracies would press all others together, are left out and counted in the panel's title.

    Args:
        experiment (Experiment), finished (dict): for which :func:`has_pareto` is true.
    """
    settings: Any = experiment.pareto
    names = settings['accuracy']
    columns = 2 if len(names) == 1 else 3
    height = 3.4 + .24 * math.ceil((len(experiment.rows) + 1) / columns)
    figure = Figure(figsize=(max(WIDTH * len(names), 6.4), height), layout='constrained')
    FigureCanvasAgg(figure)
    handles: dict[str, Any] = {}
    for name, axes in zip(names, figure.subplots(1, len(names), squeeze=False)[0], strict=True):
        runs = pareto_points(experiment, finished, name)
        points = [point for point in runs if not point.degenerate]
        front = front_of(experiment, points, name)
        line, = axes.plot([point.cost for point in front], [point.accuracy for point in front], color=INK, lw=1.2,
                          linestyle='--', drawstyle='steps-post', label='no run beats these', gid='front', zorder=1)
        for place, row in enumerate(experiment.rows):
            of_row = [point for point in points if point.row == row['name']]
            if of_row:
                handles.setdefault(row['name'], axes.scatter(
                    [point.cost for point in of_row], [point.accuracy for point in of_row], s=26, zorder=2,
                    color=COLOURS[place % len(COLOURS)], marker=MARKERS[place // len(COLOURS) % len(MARKERS)],
                    edgecolors='white', linewidths=.6, label=row['name'], gid=row['name']))
        handles.setdefault('front', line)
        axes.set(xlabel=settings['cost'], ylabel=name)
        if settings['log']:
            axes.set_xscale('log')
        axes.grid(color='#e6e6e6', lw=.8)
        axes.set_axisbelow(True)
        for side in ('top', 'right'):
            axes.spines[side].set_visible(False)
        left_out = len(runs) - len(points)
        axes.set_title(f'{len(runs)} runs' + f', without {left_out} degenerate' * bool(left_out), size=9, color=FAINT)
    figure.legend(handles=[*(handle for name, handle in handles.items() if name != 'front'), handles['front']],
                  loc='outside lower center', ncols=columns, frameon=False, fontsize=8.5)
    put_title(figure, experiment.title)
    return figure
