"""Pictures of what several tasks share: a column a task, in the order of depth. Lengths are inches, y goes up."""
from matplotlib.patches import Rectangle

from ..space_format import format_of
from .picture import FAINT, FIXED, FIXED_EDGE, INK, MARGIN, blank, draw_box, draw_route, heading, note

COLOURS = (('#9ecae8', '#3b78a8'), ('#f6b26b', '#b8701f'), ('#b5d9a3', '#4f8a3c'), ('#d8c7ea', '#7d5ba6'),
           ('#f4c2cf', '#b04a67'), ('#efe08a', '#998614'))
HEAD_ROOM = 1.25  # the picture's heading and the columns'
NARROWEST = 6.  # room for the heading
LONGEST_NAME = 18  # of a task, characters
NAMES = 1.75  # of the blocks, left of the columns
COLUMN, COLUMN_GAP = 1.35, .35  # of a branching
ROW, ROW_GAP = .32, .13
BAND = .1  # joins what is shared by tasks that are no neighbours
STAGE, STAGE_GAP = 1.1, 1.9  # width of a stage, and the room for arrows beside it
STAGE_ROW, STAGE_ROW_GAP = .5, .32  # at least
PORT, LANE = .11, .09  # between arrows where they meet a box, and between two boxes


def sharing_figure(genotype, name, title):
    """The picture of ``genotype.sharing``.

    Args:
        name (str): of the search space.
        title (str): where the architecture is from.
    """
    return FIGURES[genotype.sharing['method']](genotype, name, title)


def column_heads(axes, tasks, centres, top, bottom):
    """The tasks' names, and behind the boxes an arrow down each column."""
    for task, x in zip(tasks, centres, strict=True):
        shown = task if len(task) <= LONGEST_NAME else task[:LONGEST_NAME - 1] + '…'
        note(axes, x, top + .17, shown, INK, size=10, weight='bold')
        axes.annotate('', (x, bottom), (x, top + .04), zorder=0,
                      arrowprops=dict(arrowstyle='->', color=FAINT, lw=1.2, shrinkA=0, shrinkB=0))


def title_lines(axes, name, lines):
    heading(axes, name, '')
    for i, line in enumerate(lines):
        note(axes, MARGIN, axes.get_ylim()[1] - .54 - .17 * i, line, size=8.5, ha='left')


# --- branching -------------------------------------------------------------------------------------------------------


def branching_figure(genotype, name, title):
    """A row a block: what tasks share is one box, or boxes of a colour joined by a band; what is a task's own, grey."""
    tasks, blocks = genotype.sharing['tasks'], genotype.sharing['blocks']
    labels = format_of(genotype.space).blocks(genotype.architecture, len(blocks))
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


def draw_group(axes, block, number, group, groups, tasks, centres, y, colour):
    """The boxes of one copy of a block."""
    fill, edge = colour or (FIXED, FIXED_EDGE)
    runs = neighbours(group)
    if len(runs) > 1:  # bands of a row lie above one another
        several = [other for other in groups if len(neighbours(other)) > 1]
        shift = (several.index(group) - (len(several) - 1) / 2) * 1.6 * BAND
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


def groups_of(copies):
    """[0, 1, 0] -> ((0, 2), (1,)): the tasks of each copy in use, in the order of their first task."""
    return tuple(tuple(task for task, other in enumerate(copies) if other == copy) for copy in dict.fromkeys(copies))


def neighbours(group):
    """(0, 1, 3) -> [[0, 1], [3]]."""
    runs = []
    for task in group:
        if runs and runs[-1][-1] == task - 1:
            runs[-1].append(task)
        else:
            runs.append([task])
    return runs


def group_colours(shares, number):
    """The first colour is that of what all tasks share; the others go to the groups as they come up."""
    found = {tuple(range(number)): COLOURS[0]} if number > 1 else {}
    for groups in shares:
        for group in groups:
            if len(group) > 1 and group not in found:
                found[group] = COLOURS[1 + (len(found) - 1) % (len(COLOURS) - 1)]
    return found


# --- fusion ----------------------------------------------------------------------------------------------------------


def fusion_figure(genotype, name, title):
    """A column of stages a task; an arrow leads from a stage to one of another task that reads its output.

    Between neighbouring columns arrows stay in the room between them; others
    pass the columns on their way below the stage they come from.
    """
    tasks = genotype.sharing['tasks']
    stages = format_of(genotype.space).stages(genotype.architecture)
    edges = sorted((tasks.index(source), r, tasks.index(target), s) for target, s, source, r in
                   genotype.sharing['edges'])
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

    def end(task, stage, other, edge):
        """Where an arrow meets a box, on the side of the other task."""
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


def port_places(edges):
    """dict: (task, stage, side) -> its edges from top to bottom: those that come in, then those that go out."""
    found = {}
    for edge in edges:
        source, r, target, s = edge
        side = 1 if target > source else -1
        found.setdefault((target, s, -side), []).append((0, r, abs(source - target), edge))
        found.setdefault((source, r, side), []).append((1, s, abs(source - target), edge))
    return {place: [entry[-1] for entry in sorted(entries)] for place, entries in found.items()}


FIGURES = dict(branching=branching_figure, fusion=fusion_figure)
