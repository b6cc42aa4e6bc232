"""Which figures of a search its page shows, in which sections and panels, and with which words."""
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .charts import Curve
from .work_dir import SearchFolder

STAGE = re.compile(r'r(?P<round>\d+)\.(?P<task>[^/]+)/(?P<figure>.+)')
PLACES = ('epoch', 'iter', 'step')  # of a line, no figures
MOST_POINTS = 150  # of a curve; a longer one keeps every second, third ... point, and the last
ITERATION, EPOCH = 'iteration', 'epoch'

WORDS = {
    'architecture/entropy': (
        'Entropy of A', 'Mean over the choices, in nats. It falls as the choices sharpen.'),
    'architecture/lead': (
        'Lead of the best option', 'By how much its weight exceeds that of the second, in %; the median choice.'),
    'architecture/unsure': (
        'Unsure choices', 'Those that lead by less than 1 %, as an untrained A does.'),
    'architecture/gradient_norm': ("Norm of A's gradient", 'The norm at the steps of A.'),
    'architecture/gradient_cosine': (
        "Cosine of A's gradient", 'To the running mean of the gradients before: 1 where steps agree, around 0 where '
        'they are noise.'),
    'architecture/chain_share': (
        'Share of the chain', "The norm of the part of A's gradient that comes through the chain of updates, over the "
        'norm of the whole.'),
    'epoch_time': ('Seconds per epoch', 'Iterations with their data; no validations, checkpoints and lookups.'),
    'memory': ('Memory', 'MB: of the GPU if there is one, else of the process.'),
}


class Panel(NamedTuple):
    """A chart of the page, with its words."""
    title: str
    note: str
    curves: list[Curve]
    x: str = ITERATION


class Section(NamedTuple):
    """A part of the page: its name and its panels."""
    name: str
    panels: list[Panel]


def thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most about ``MOST_POINTS`` of the points, the last among them."""
    step = math.ceil(len(points) / MOST_POINTS) or 1
    return points[::-1][::step][::-1]


def series(lines: Iterable[Mapping[str, Any]], name: str, x: str = 'iter') -> list[tuple[float, float]]:
    """The finite numbers of a figure over the lines that have it."""
    points = [(line[x], line[name]) for line in lines if isinstance(line.get(name), int | float)]
    return thinned([(place, value) for place, value in points if math.isfinite(value)])


def sections_of(search: SearchFolder) -> list[Section]:
    """All panels of a search but those of its choices. Each logged figure is in one of them."""
    lines = search.training
    names = [name for name in dict.fromkeys(name for line in lines for name in line) if name not in PLACES]
    left = {name: series(lines, name) for name in names if not name.startswith('table/')}
    left = {name: points for name, points in left.items() if points}

    def take(title: str, note: str, chosen: Mapping[str, str]) -> list[Panel]:
        """A panel of the figures that there are, by their names in the legend; no panel without any."""
        curves = [Curve(label, left.pop(name), i) for i, (name, label) in enumerate(chosen.items()) if name in left]
        return [Panel(title, note, curves)] if curves else []

    def alone(prefix: str) -> list[Panel]:
        return [panel for name in [name for name in left if name.startswith(prefix)]
                for panel in take(*WORDS.get(name, (name, '')), {name: name})]

    stages = {name: match for name in left if (match := STAGE.fullmatch(name))}
    tasks = list(dict.fromkeys(match['task'] for match in stages.values()))
    losses = [panel for task in tasks for panel in take(
        f'Loss of {task}', 'Training loss per round; dashed: loss on the validation data that A learns from.',
        {**{name: f'round {match["round"]}' for name, match in stages.items()
            if match['task'] == task and match['figure'] == 'loss'}, f'{task}/val_loss': 'validation'})]
    losses = [panel._replace(curves=[curve._replace(dashed=curve.name == 'validation') for curve in panel.curves])
              for panel in losses]
    signal = [panel for name in WORDS if name.startswith('architecture/gradient') or name.endswith('chain_share')
              for panel in take(*WORDS[name], {name: name})]
    transfer = take('Pairs of the transfer', 'Share of pairs that are active (student and teacher disagree), and share '
                    'that the teacher tells apart, over all stages.',
                    {'transfer/active': 'active', 'transfer/different': 'told apart'})
    parts: list[Panel] = []
    for figure in dict.fromkeys(match['figure'] for match in stages.values() if match['figure'] != 'loss'):
        chosen = {name: f'round {match["round"]}, {match["task"]}' for name, match in stages.items()
                  if match['figure'] == figure}
        panels = take(figure.replace('_', ' ').capitalize(), 'Per stage.', chosen)
        (transfer if figure.startswith('transfer') else parts).extend(panels)
    time = [*take('Seconds per iteration', 'All of it, and the wait for data.', {'time': 'all', 'data_time': 'data'}),
            *alone('epoch_time'), *alone('memory')]
    rates = take('Learning rates', '', {name: name.removesuffix('.lr') for name in left if name.endswith('.lr')})
    norms = take('Gradient norms of the weights', '',
                 {name: name.removesuffix('.grad_norm') for name in left if name.endswith('.grad_norm')})
    decided = [*alone('architecture/entropy'), *alone('architecture/lead'), *alone('architecture/unsure')]
    entropy = [*decided, *signal, *alone('architecture/')]
    sections = [
        Section('Signal of A', entropy),
        Section('Losses', losses + parts),
        Section('Transfer', transfer + alone('transfer/')),
        Section('Validation', validation_panels(search)),
        Section('Cost', alone('cost/')),
        Section('Benchmark', table_panels(search)),
        Section('Time', time),
        Section('Steps of the weights', rates + norms),
        Section('More figures', alone('')),
    ]
    return [section for section in sections if section.panels]


def validation_panels(search: SearchFolder) -> list[Panel]:
    """A panel per task of the metrics of validations, over epochs."""
    lines = [dict(metrics, step=step) for step, metrics in search.validations.items()]
    names = [name for name in dict.fromkeys(name for line in lines for name in line) if '/' in name]
    panels = []
    for task in dict.fromkeys(name.split('/')[0] for name in names):
        curves = [Curve(name.split('/', 1)[1], series(lines, name, 'step')) for name in names
                  if name.split('/')[0] == task]
        curves = [curve._replace(colour=i) for i, curve in enumerate(curve for curve in curves if curve.points)]
        if curves:
            panels.append(Panel(f'Validation of {task}', 'The search network, after epochs.', curves, EPOCH))
    return panels


def table_panels(search: SearchFolder) -> list[Panel]:
    """A panel per metric of the table in which the search looked its architectures up."""
    metrics = dict.fromkeys(metric for line in search.lookups for metric in line['accuracies'])
    panels = []
    for metric in metrics:
        points = thinned([(line['iteration'], line['accuracies'][metric]) for line in search.lookups
                          if metric in line['accuracies']])
        panels.append(Panel(metric, "The present architecture's value in the table of the benchmark.",
                            [Curve(metric, points)]))
    return panels
