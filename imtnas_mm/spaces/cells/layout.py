"""The graph of a cell, and where cells reduce: what the four cell spaces share.

A cell (Liu et al., 2019, DARTS, Sec. 2.1) has the states 0 and 1, the outputs
of the two cells before it, and four intermediate nodes, the states 2 to 5.
Every node sums an edge from each state before it; the cell's output is the
concatenation of its nodes.
"""
from typing import NamedTuple

CELLS = ('normal', 'reduce')
NODES = 4
STAGES = 3  # before the first reduction, from it to the second, and from that on
NONE, SKIP = 'none', 'skip_connect'
MAX_POOL, AVG_POOL = 'max_pool_3x3', 'avg_pool_3x3'
SEPARABLE = ('sep_conv_3x3', 'sep_conv_5x5')
DILATED = ('dil_conv_3x3', 'dil_conv_5x5')
CONVOLUTIONS = SEPARABLE + DILATED
# the order of DARTS, kept in every space: a row of A means the same in all of them
OPERATIONS = (NONE, MAX_POOL, AVG_POOL, SKIP, *CONVOLUTIONS)
COLUMN = {operation: i for i, operation in enumerate(OPERATIONS)}


class Edge(NamedTuple):
    """From a state to a node; ``node`` counts the intermediate nodes from 0, ``predecessor`` the states from 0."""
    node: int
    predecessor: int


EDGES = tuple(Edge(node, state) for node in range(NODES) for state in range(node + 2))


def incoming(node):
    """The indices into ``EDGES`` of a node's edges, by predecessor."""
    return [i for i, edge in enumerate(EDGES) if edge.node == node]


def kernel_size(operation):
    """``'sep_conv_5x5'`` -> 5."""
    return int(operation[-1])


def reductions(layers):
    """The cells that halve the resolution and double the width, at a third and two thirds of the depth.

    Raises:
        ValueError: if ``layers`` leaves no room for both.
    """
    if layers < 3:
        raise ValueError(f'layers={layers} must be at least 3: two of the cells reduce')
    return layers // 3, 2 * layers // 3


def stage_widths(channels):
    """tuple[int]: the channels of the stages' outputs in a stack whose first cells have ``channels``."""
    return tuple(NODES * channels * 2**stage for stage in range(STAGES))


class Place(NamedTuple):
    """A cell of a stack: its kind, the channels of its states, those of the two cells before it, and whether the last
    one reduced, so that the one before that is of twice the resolution."""
    kind: str
    channels: int
    widths: tuple
    after_reduction: bool


def stack_of_cells(layers, channels, stem_width, after_reduction):
    """list[Place]: the cells on a stem of ``stem_width`` channels whose two outputs differ in resolution or not."""
    places, widths, reducing = [], (stem_width, stem_width), reductions(layers)
    for index in range(layers):
        kind = 'reduce' if index in reducing else 'normal'
        channels *= 2 if kind == 'reduce' else 1
        places.append(Place(kind, channels, widths, after_reduction))
        widths, after_reduction = (widths[1], NODES * channels), kind == 'reduce'
    return places
