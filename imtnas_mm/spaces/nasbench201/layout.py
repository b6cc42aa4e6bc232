"""The graph of a NAS-Bench-201 cell, and the stack of its cells.

A cell (Dong and Yang, 2020, Sec. 2.1) has four states: state 0 is its input,
every other state is the sum of an edge from each state before it, and the last
state is its output. A stack has three stages of ``cells`` cells each; a residual block
of stride 2 between two stages doubles the width.
"""
from typing import NamedTuple

NAME = 'nasbench201'  # of the space
CELL = 'cell'  # of an architecture, and the group of A
STAGES = 3
STATES = 4
NONE, SKIP, CONV_1X1, CONV_3X3, AVG_POOL = 'none', 'skip_connect', 'nor_conv_1x1', 'nor_conv_3x3', 'avg_pool_3x3'
OPERATIONS = (NONE, SKIP, CONV_1X1, CONV_3X3, AVG_POOL)  # in the benchmark's order
COLUMN = {operation: i for i, operation in enumerate(OPERATIONS)}


class Edge(NamedTuple):
    """From a state to a later one."""
    target: int
    source: int


EDGES = tuple(Edge(target, source) for target in range(1, STATES) for source in range(target))


def stage_widths(channels: int) -> tuple[int, ...]:
    """The channels of the stages' outputs."""
    return tuple(channels * 2**stage for stage in range(STAGES))


def check_size(channels: int, cells: int) -> None:
    """Refuses a stack without channels or without cells."""
    for name, value in (('channels', channels), ('cells', cells)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f'{name}={value!r} must be a whole number, at least 1')


def block_names(cells: int) -> tuple[str, ...]:
    """The names of the stem, the cells and the reductions, in order."""
    return ('stem', *(f'cell{i + 1}' for i in range(STAGES * cells + STAGES - 1)))


def reductions(cells: int) -> tuple[int, ...]:
    """The places of the reductions in a stack of ``cells`` cells per stage, counted from 0."""
    return tuple(stage * (cells + 1) - 1 for stage in range(1, STAGES))


def cells_per_stage(blocks: int) -> int:
    """Cells per stage of the stack whose number of blocks is the nearest to ``blocks``, at least 1."""
    return max(1, round((blocks - STAGES) / STAGES))
