"""Draws the parts that tasks share, one column per task in the order of depth. Lengths are inches, y goes up."""
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..genotype import Genotype, sharing_of
from ..picture import (
    FAINT,
    FIXED,
    FIXED_EDGE,
    INK,
    MARGIN,
    Colours,
    Point,
    blank,
    draw_box,
    draw_route,
    heading,
    note,
)
from ..space_format import format_of

COLOURS = (('#9ecae8', '#3b78a8'), ('#f6b26b', '#b8701f'), ('#b5d9a3', '#4f8a3c'), ('#d8c7ea', '#7d5ba6'),
           ('#f4c2cf', '#b04a67'), ('#efe08a', '#998614'))
HEAD_ROOM = 1.25  # the heading of the picture and the headings of its columns
NARROWEST = 6.  # room for the heading
LONGEST_NAME = 18  # characters of a task's name
NAMES = 1.75  # the names of the blocks, left of the columns
COLUMN, COLUMN_GAP = 1.35, .35  # in the picture of a branching
ROW, ROW_GAP = .32, .13
BAND = .1  # joins the boxes of a shared block whose tasks are not neighbours
STAGE, STAGE_GAP = 1.1, 1.9  # the width of a stage, and the room for arrows beside it
STAGE_ROW, STAGE_ROW_GAP = .5, .32  # at least
PORT, LANE = .11, .09  # between arrows where they meet a box, and between two boxes

Group = tuple[int, ...]  # the tasks that share a copy of a block
Edge = tuple[int, int, int, int]  # source, its stage, target, its stage


def sharing_figure(genotype: Genotype, name: str, title: str) -> Figure:
    """The picture of ``genotype.sharing``.

    Args:
        genotype (Genotype): the architecture, with ``sharing``.
        name (str): the name of the search space.
        title (str): the source of the architecture.
    """
    return FIGURES[sharing_of(genotype)['method']](genotype, name, title)


def column_heads(axes: Axes, tasks: Sequence[str], centres: Sequence[float], top: float, bottom: float) -> None:
    """The names of the tasks, and an arrow down each column behind its boxes."""
    for task, x in zip(tasks, centres, strict=True):
        shown = task if len(task) <= LONGEST_NAME else task[:LONGEST_NAME - 1] + '…'
        note(axes, x, top + .17, shown, INK, size=10, weight='bold')
        axes.annotate('', (x, bottom), (x, top + .04), zorder=0,
                      arrowprops=dict(arrowstyle='->', color=FAINT, lw=1.2, shrinkA=0, shrinkB=0))


def title_lines(axes: Axes, name: str, lines: Sequence[str]) -> None:
    """The heading and the lines below it."""
    heading(axes, name, '')
    for i, line in enumerate(lines):
        note(axes, MARGIN, axes.get_ylim()[1] - .54 - .17 * i, line, size=8.5, ha='left')


# --- branching -------------------------------------------------------------------------------------------------------


def branching_figure(genotype: Genotype, name: str, title: str) -> Figure:
    """One row per block.

    A copy that several tasks use is a coloured box; a band joins its boxes if
    the tasks are not neighbours. A copy of a single task is grey.
    """
    sharing, space_format = sharing_of(genotype), format_of(genotype.space)
    tasks, blocks = sharing['tasks'], sharing['blocks']
    if space_format.blocks is None:
        raise ValueError(f'sharing.method: branching; the space {genotype.space!r} has no blocks that tasks could '
                         'share')
    labels = space_format.blocks(genotype.architecture, len(blocks))
    centres = [MARGIN + NAMES + COLUMN / 2 + i * (COLUMN + COLUMN_GAP) for i in range(len(tasks))]
    width = max(NARROWEST, centres[-1] + COLUMN / 2 + MARGIN)
    height = HEAD_ROOM + len(blocks) * (ROW + ROW_GAP) + .35
    figure, axes = blank(width, height)
    shares = [groups_of(copies) for copies in blocks.values()]
    by_all = sum(len(groups) == 1 for groups in shares)
    by_some = sum(1 < len(groups) < len(tasks) for groups in shares)
    counts = f'{by_all} of {len(blocks)} blocks shared by all tasks'
    title_lines(axes, f'{name}: branches of the tasks', [
        *([title] if title else []), f'{counts}, {by_some} by some' if len(tasks) > 2 else counts])
    top = height - HEAD_ROOM
    column_heads(axes, tasks, centres, top, .2)
    colours = group_colours(shares, len(tasks))
    for row, (block, groups) in enumerate(zip(blocks, shares, strict=True)):
        y = top - row * (ROW + ROW_GAP) - ROW / 2 - ROW_GAP / 2
        note(axes, MARGIN, y, block, INK, size=8.5, ha='left')
        note(axes, MARGIN + .62, y, labels[block], size=8, ha='left')
        for number, group in enumerate(groups):
            draw_group(axes, block, number, group, groups, tasks, centres, y, colours.get(group))
    return figure


def draw_group(axes: Axes, block: str, number: int, group: Group, groups: Sequence[Group], tasks: Sequence[str],
               centres: Sequence[float], y: float, colour: Colours | None) -> None:
    """The boxes of a copy of a block."""
    fill, edge = colour or (FIXED, FIXED_EDGE)
    runs = neighbours(group)
    if len(runs) > 1:  # the bands of a row lie above each other
        split = [other for other in groups if len(neighbours(other)) > 1]
        shift = (split.index(group) - (len(split) - 1) / 2) * 1.6 * BAND
        left, right = centres[group[0]], centres[group[-1]]
        axes.add_patch(Rectangle((left, y - shift - BAND / 2), right - left, BAND, facecolor=fill, edgecolor=edge,
                                 lw=.8, zorder=1, gid=f'{block}-group{number}-band'))
    for i, run in enumerate(runs):
        left, right = centres[run[0]] - COLUMN / 2, centres[run[-1]] + COLUMN / 2
        draw_box(axes, ((left + right) / 2, y, right - left, ROW), fill, edge, f'{block}-group{number}-box{i}')
        if len(runs) > 1:
            others = [tasks[task] for task in group if task not in run]
            text = 'with ' + ', '.join(others)
            text = text if len(text) <= LONGEST_NAME + 2 else f'with {len(others)} other{"s" * (len(others) > 1)}'
        else:
            text = 'shared' if len(run) > 1 else ''
        note(axes, (left + right) / 2, y - .01, text, INK, size=8)


def groups_of(copies: Sequence[int]) -> tuple[Group, ...]:
    """[0, 1, 0] -> ((0, 2), (1,)): the tasks of each copy in use, in the order of their first task."""
    return tuple(tuple(task for task, other in enumerate(copies) if other == copy) for copy in dict.fromkeys(copies))


def neighbours(group: Group) -> list[list[int]]:
    """(0, 1, 3) -> [[0, 1], [3]]."""
    runs: list[list[int]] = []
    for task in group:
        if runs and runs[-1][-1] == task - 1:
            runs[-1].append(task)
        else:
            runs.append([task])
    return runs


def group_colours(shares: Sequence[Sequence[Group]], number: int) -> dict[Group, Colours]:
    """The first colour marks blocks that all tasks share; groups take the other colours in their order."""
    colours: dict[Group, Colours] = {tuple(range(number)): COLOURS[0]} if number > 1 else {}
    for groups in shares:
        for group in groups:
            if len(group) > 1 and group not in colours:
                colours[group] = COLOURS[1 + (len(colours) - 1) % (len(COLOURS) - 1)]
    return colours


# --- fusion ----------------------------------------------------------------------------------------------------------


def fusion_figure(genotype: Genotype, name: str, title: str) -> Figure:
    """One column of stages per task. An arrow leads from a stage to a stage of another task that reads its output.

    Arrows between neighbouring columns stay in the room between them. Other
    arrows pass the columns below the stage where they start.
    """
    sharing = sharing_of(genotype)
    tasks = sharing['tasks']
    stages = format_of(genotype.space).stages(genotype.architecture)
    edges = sorted((tasks.index(source), r, tasks.index(target), s) for target, s, source, r in sharing['edges'])
    passing = [[edge for edge in edges if edge[1] == row and abs(edge[0] - edge[2]) > 1] for row in range(stages)]
    ports = port_places(edges)
    heights = [max([STAGE_ROW, *(PORT * (len(places) + 1) for (_, row, _), places in ports.items() if row == stage)])
               for stage in range(stages)]
    gaps = [STAGE_ROW_GAP + LANE * len(lanes) for lanes in passing]
    centres = [MARGIN + STAGE / 2 + i * (STAGE + STAGE_GAP) for i in range(len(tasks))]
    width = max(NARROWEST, centres[-1] + STAGE / 2 + MARGIN)
    centres = [x + (width - MARGIN - centres[-1] - STAGE / 2) / 2 for x in centres]
    height = HEAD_ROOM + sum(heights) + sum(gaps) + .3
    figure, axes = blank(width, height)
    possible = len(tasks) * (len(tasks) - 1) * stages * (stages + 1) // 2
    title_lines(axes, f'{name}: features that the tasks read of one another', [
        *([title] if title else []), f'{len(edges)} of {possible} edges on'])
    top = height - HEAD_ROOM
    column_heads(axes, tasks, centres, top, .2)
    middles = []
    for stage in range(stages):
        middles.append(top - .1 - heights[stage] / 2 - sum(heights[:stage]) - sum(gaps[:stage]))
        for task, x in enumerate(centres):
            fill, edge = COLOURS[task % len(COLOURS)]
            draw_box(axes, (x, middles[stage], STAGE, heights[stage]), fill, edge, f'task{task}-stage{stage}')
            note(axes, x, middles[stage] - .01, f'stage {stage}', INK, size=9)

    def end(task: int, stage: int, other: int, edge: Edge) -> Point:
        """The point where an arrow meets a box, on the side of the other task."""
        side = 1 if other > task else -1
        places = ports[task, stage, side]
        offset = ((len(places) - 1) / 2 - places.index(edge)) * PORT
        return centres[task] + side * STAGE / 2, middles[stage] + offset

    for edge in edges:
        source, r, target, s = edge
        points = [end(source, r, target, edge), end(target, s, source, edge)]
        if edge in passing[r]:
            side = 1 if target > source else -1
            lane = middles[r] - heights[r] / 2 - STAGE_ROW_GAP / 2 - LANE * passing[r].index(edge)
            points[1:1] = [(centres[source + side] - side * (STAGE / 2 + .15), lane),
                           (centres[target - side] + side * (STAGE / 2 + .15), lane)]
        draw_route(axes, points, COLOURS[source % len(COLOURS)][1], f'edge-{source}.{r}-{target}.{s}', arrow=True)
    return figure


def port_places(edges: Sequence[Edge]) -> dict[tuple[int, int, int], list[Edge]]:
    """(task, stage, side) -> its edges from top to bottom: first the edges that come in, then those that go out."""
    places: dict[tuple[int, int, int], list[tuple[int, int, int, Edge]]] = {}
    for edge in edges:
        source, r, target, s = edge
        side = 1 if target > source else -1
        places.setdefault((target, s, -side), []).append((0, r, abs(source - target), edge))
        places.setdefault((source, r, side), []).append((1, s, abs(source - target), edge))
    return {place: [entry[-1] for entry in sorted(entries)] for place, entries in places.items()}


FIGURES = dict(branching=branching_figure, fusion=fusion_figure)
