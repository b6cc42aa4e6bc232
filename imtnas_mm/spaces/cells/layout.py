"""The graph of a cell and the stack of cells, in all four spaces of cells.

A cell (Liu et al., 2019, DARTS, Sec. 2.1) has the states 0 and 1, the outputs
of the two cells before it, and four intermediate nodes, the states 2 to 5.
Every node is the sum of an edge from each state before it. The output of the
cell is the concatenation of its nodes.
"""
from typing import NamedTuple

CELLS = ('normal', 'reduce')
NODES = 4
STAGES = 3  # before the first reduction, from the first to the second, from the second on
STEM_MULTIPLIER = 3  # the width of the CIFAR stem over the width of the first cells
NONE, SKIP = 'none', 'skip_connect'
MAX_POOL, AVG_POOL = 'max_pool_3x3', 'avg_pool_3x3'
SEPARABLE = ('sep_conv_3x3', 'sep_conv_5x5')
DILATED = ('dil_conv_3x3', 'dil_conv_5x5')
CONVOLUTIONS = SEPARABLE + DILATED
# the order of DARTS in every space: a row of A means the same in all spaces
OPERATIONS = (NONE, MAX_POOL, AVG_POOL, SKIP, *CONVOLUTIONS)
COLUMN = {operation: i for i, operation in enumerate(OPERATIONS)}


class Edge(NamedTuple):
    """An edge from a state to a node; ``node`` counts the intermediate nodes from 0, ``predecessor`` the states."""
    node: int
    predecessor: int


EDGES = tuple(Edge(node, state) for node in range(NODES) for state in range(node + 2))


def incoming(node: int) -> list[int]:
    """The indices in ``EDGES`` of the edges into a node, in the order of predecessors."""
    return [i for i, edge in enumerate(EDGES) if edge.node == node]


def kernel_size(operation: str) -> int:
    """``'sep_conv_5x5'`` -> 5."""
    return int(operation[-1])


def reductions(layers: int) -> tuple[int, int]:
    """The cells that halve the resolution and double the width, at a third and two thirds of the depth.

    Raises:
        ValueError: if ``layers`` leaves no room for both.
    """
    if layers < 3:
        raise ValueError(f'layers={layers} must be at least 3: two of the cells reduce')
    return layers // 3, 2 * layers // 3


def stage_widths(channels: int) -> tuple[int, ...]:
    """The channels of the stages' outputs in a stack whose first cells have ``channels``."""
    return tuple(NODES * channels * 2**stage for stage in range(STAGES))


class CellPlace(NamedTuple):
    """The place of a cell in a stack.

    Args:
        kind (str): ``normal`` or ``reduce``.
        channels (int): the channels of its states.
        widths (tuple[int]): the channels of the cell before the last, and of
            the last cell before it.
        after_reduction (bool): whether the last cell before it reduces. Its
            inputs then differ in resolution.
    """
    kind: str
    channels: int
    widths: tuple[int, int]
    after_reduction: bool


def stack_of_cells(layers: int, channels: int, stem_width: int, after_reduction: bool) -> list[CellPlace]:
    """The places of a stack of cells.

    Args:
        layers (int): the number of cells.
        channels (int): the channels of the first cells.
        stem_width (int): the channels of the stem's outputs.
        after_reduction (bool): whether the two outputs of the stem differ in
            resolution.
    """
    places, widths, reducing = [], (stem_width, stem_width), reductions(layers)
    for index in range(layers):
        kind = 'reduce' if index in reducing else 'normal'
        channels *= 2 if kind == 'reduce' else 1
        places.append(CellPlace(kind, channels, widths, after_reduction))
        widths, after_reduction = (widths[1], NODES * channels), kind == 'reduce'
    return places
