"""The picture of a NAS-Bench-201 cell: its graph, and the weights as a heat map. Lengths are inches, y goes up."""
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from ...genotype import Genotype
from ...importance import UNSURE, lead, multiple
from ...picture import (
    COLUMN,
    FAINT,
    FIXED,
    FIXED_EDGE,
    INK,
    MARGIN,
    PALE,
    ROW,
    UNSURE_NOTE,
    blank,
    draw_box,
    draw_route,
    heading,
    note,
    operation_label,
    weight_square,
)
from .layout import AVG_POOL, CELL, CONV_1X1, CONV_3X3, EDGES, NONE, OPERATIONS, SKIP, STATES, Edge

KINDS = {  # of operation: name, fill, edge
    **dict.fromkeys((CONV_1X1, CONV_3X3), ('convolution', '#9ecae8', '#3b78a8')),
    AVG_POOL: ('pooling', '#b5d9a3', '#4f8a3c'),
    SKIP: ('skip connection', '#d8c7ea', '#7d5ba6'),
    NONE: ('none', '#ffffff', '#c9c9c9'),
}
NAMES = ('in', '1', '2', 'out')  # of the states
WIDTH, HEIGHT = .5, .5  # of a state
GAP = 2.3  # between the middles of neighbouring states
LANE = .75  # between edges above one another
LABEL_WIDTH, LABEL, TALL_LABEL = 1.2, .27, .42  # of an edge; the last with a weight
PORT = .14  # between edges where they leave or enter a state
ROOM = 1.05  # left of the heat map, for the operations


class Track(NamedTuple):
    """The course of an edge: the lane of its label, counted upwards from that of the states, and its end offsets."""
    lane: int
    leaves: float
    enters: float


TRACKS = {  # no two of them cross
    Edge(1, 0): Track(0, 0, 0),
    Edge(2, 1): Track(0, 0, 0),
    Edge(3, 2): Track(0, 0, 0),
    Edge(2, 0): Track(1, PORT, PORT),
    Edge(3, 0): Track(2, 2 * PORT - .09, PORT),
    Edge(3, 1): Track(-1, -PORT, -PORT),
}


def draw_cell(genotype: Genotype, title: str) -> Figure:
    """The graph of the cell, and below it the weights that it comes from, as multiples of uniform weights.

    An operation that is no better than chance is pale and dashed.

    Args:
        genotype (Genotype): of the space.
        title (str): goes behind the name of the space.
    """
    importance = genotype.importance[CELL] if genotype.importance else None
    label = TALL_LABEL if importance else LABEL
    width = 2 * MARGIN + (STATES - 1) * GAP + WIDTH
    graph = 3 * LANE + HEIGHT
    height = .7 + graph + (len(OPERATIONS) * ROW + 1.25 if importance else .1)
    figure, axes = blank(width, height)
    heading(axes, 'NAS-Bench-201', title)
    chosen = {Edge(target, source): operation for target, state in enumerate(genotype.architecture[CELL], 1)
              for operation, source in state}
    middle = height - .7 - 2 * LANE - HEIGHT / 2 + .1
    dashed = False
    without = [i for i, operation in enumerate(OPERATIONS) if operation in genotype.never_taken]
    for place, edge in enumerate(EDGES):
        weight, unsure = None, False
        if importance:
            row, taken = importance[place], OPERATIONS.index(chosen[edge])
            weight, unsure = multiple(row[taken], len(row)), lead(row, taken, without) < UNSURE
        dashed |= unsure
        _draw_edge(axes, edge, chosen[edge], weight, middle, label, unsure)
    for state, name in enumerate(NAMES):
        fixed = state in (0, STATES - 1)
        draw_box(axes, (_x(state), middle, WIDTH, HEIGHT), FIXED if fixed else '#ffffff', FIXED_EDGE if fixed else INK,
                 f'state{state}')
        note(axes, _x(state), middle, name, INK, size=10)
    # below the states on the left, where no edge runs
    axes.legend(handles=[Patch(facecolor=fill, edgecolor=edge, label=kind)
                         for kind, fill, edge in dict.fromkeys(KINDS.values())],
                loc='center left', bbox_to_anchor=(MARGIN, middle - LANE), bbox_transform=axes.transData, ncols=2,
                frameon=False, fontsize=8.5, borderaxespad=0, borderpad=0, handlelength=1.2, columnspacing=1.2)
    if importance:
        top = height - .7 - graph - .1
        heading(axes, 'Importance weights', 'as multiples of the uniform one; framed: taken into the cell', y=top,
                size=10)
        if dashed:
            note(axes, MARGIN, height - .56, UNSURE_NOTE, ha='left', size=8.5)
        _draw_weights(axes, importance, chosen, top - .3)
    return figure


def _x(state):
    return MARGIN + WIDTH / 2 + state * GAP


def _draw_edge(axes, edge, operation, weight, middle, height, unsure):
    lane, leaves, enters = TRACKS[edge]
    y = middle + lane * LANE
    x = (_x(edge.source) + _x(edge.target)) / 2
    start, end = (_x(edge.source) + WIDTH / 2, middle + leaves), (_x(edge.target) - WIDTH / 2, middle + enters)
    _, fill, colour = KINDS[operation]
    name = f'edge{edge.source}-{edge.target}'
    # a long edge is level above the states that it passes
    first, last = start[0] + (GAP - WIDTH) / 2, end[0] - (GAP - WIDTH) / 2
    left, right = x - LABEL_WIDTH / 2, x + LABEL_WIDTH / 2
    draw_route(axes, [start, (min(first, left), y), (left, y)], colour, name)
    draw_route(axes, [(right, y), (right, y), (max(last, right), y), end], colour, f'{name}-arrow', arrow=True)
    draw_box(axes, (x, y, LABEL_WIDTH, height), fill, colour, f'{name}-label', .1, unsure)
    shift = .085 if weight else 0
    note(axes, x, y + shift - .01, operation_label(operation), INK if operation != NONE else FAINT, size=9)
    if weight:
        note(axes, x, y - shift - .02, weight, INK)


def _draw_weights(axes, importance, chosen, top):
    """Operations x edges; every edge is named below its column."""
    importance = [[len(row) * weight for weight in row] for row in importance]
    left, highest = MARGIN + ROOM, max(PALE, *(max(row) for row in importance))
    for row, operation in enumerate(OPERATIONS):
        y = top - (row + 1) * ROW
        note(axes, left - .1, y + ROW / 2, operation_label(operation), INK, size=8, ha='right')
        for column, edge in enumerate(EDGES):
            x = left + column * COLUMN
            weight_square(axes, x, y, importance[column][row], highest, f'weight{column}-{operation}')
            if chosen[edge] == operation:
                axes.add_patch(Rectangle((x, y), COLUMN, ROW, facecolor='none', edgecolor=INK, lw=1.4, zorder=3,
                                         joinstyle='miter', gid=f'taken{column}-{operation}'))
    for column, edge in enumerate(EDGES):
        note(axes, left + (column + .5) * COLUMN, top - len(OPERATIONS) * ROW - .13, f'{edge.target}←{edge.source}',
             INK, size=7.5)
