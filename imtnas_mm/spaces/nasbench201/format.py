"""Registers the space NAS-Bench-201: functions that check, summarise, write, build and draw its architectures."""
from typing import Any

from ...genotype import Place, check_importance, check_object
from ...space_format import Candidate, Choice, CostFormat, SpaceFormat, register_space
from .layout import (
    CELL,
    COLUMN,
    EDGES,
    NAME,
    NONE,
    OPERATIONS,
    STAGES,
    STATES,
    Edge,
    block_names,
    cells_per_stage,
    reductions,
)
from .network import NASBench201Net
from .notation import from_string, to_string
from .picture import draw_cell
from .published import PUBLISHED


def check(architecture: Any, importance: Any, root: Place) -> None:
    """Refuses anything but a cell, ``{'cell': [[[operation, 0]], [[operation, 0], [operation, 1]], ...]}``."""
    check_object(architecture, root['architecture'], (CELL, ))
    states, place = architecture[CELL], root['architecture'][CELL]
    if not isinstance(states, list) or len(states) != STATES - 1:
        place.fail(states, f'it must be a list of {STATES - 1} states, each a list of [operation, source]')
    for i, state in enumerate(states):
        if not isinstance(state, list) or len(state) != i + 1:
            place[i].fail(state, f'it must be a list of {i + 1} [operation, source], from the states 0 to {i}')
        for source, edge in enumerate(state):
            _check_edge(edge, source, place[i][source])
    if importance is not None:
        check_importance(importance, {CELL: (len(EDGES), len(OPERATIONS))}, root['importance'])


def _check_edge(edge, source, place):
    if not isinstance(edge, list) or len(edge) != 2:
        place.fail(edge, 'it must be [operation, source]')
    if edge[0] not in OPERATIONS:
        place[0].fail(edge[0], f'known operations are {", ".join(OPERATIONS)}')
    if isinstance(edge[1], bool) or not isinstance(edge[1], int) or edge[1] != source:
        place[1].fail(edge[1], f'it must be {source}: the edges of a state come in the order of their sources')


def block_labels(architecture: dict, number: int) -> dict[str, str]:
    """The stem, cells and reductions of a search network of ``number`` blocks, or of the nearest number."""
    cells = cells_per_stage(number)
    names = block_names(cells)
    reducing = {names[1 + place] for place in reductions(cells)}
    return {name: '' if name == 'stem' else 'reduction' if name in reducing else 'cell' for name in names}


def choice_names(architecture: dict) -> dict[str, list[Choice]]:
    """The edges of the cell and their operations."""
    return {CELL: [Choice(f'{source} to {target}', OPERATIONS) for target, source in EDGES]}


def covering(architecture: dict[str, Any]) -> list[dict[str, Any]]:
    """One cell per operation, with this operation on all edges."""
    return [{CELL: [[[operation, source] for source in range(target)] for target in range(1, STATES)]}
            for operation in OPERATIONS]


def chosen_candidates(architecture: dict[str, Any]) -> list[Candidate]:
    """``(cell, edge, operation)`` of each edge; the indices are those of ``EDGES`` and ``OPERATIONS``."""
    return [(CELL, EDGES.index(Edge(target, source)), COLUMN[operation])
            for target, state in enumerate(architecture[CELL], 1) for operation, source in state]


def candidate_modules(network: NASBench201Net) -> dict[str, Candidate]:
    """The modules of each edge's operation, one per searched cell of a derived network."""
    edges = {f'state{target}_{operation}_{source}': (CELL, EDGES.index(Edge(target, source)), COLUMN[operation])
             for target, state in enumerate(network.genotype.architecture[CELL], 1)
             for operation, source in state if operation != NONE}
    return {f'cells.{i}.edges.{name}': candidate for i in range(len(network.cells)) if i not in network.reductions
            for name, candidate in edges.items()}


register_space(SpaceFormat(
    name=NAME,
    title='NAS-Bench-201',
    network=NASBench201Net,  # the benchmark evaluates all cells at its own width and depth: no option is shared
    check=check,
    summary=to_string,
    stages=lambda architecture: STAGES,
    blocks=block_labels,
    published=PUBLISHED,
    to_string=to_string,
    from_string=from_string,
    choices=choice_names,
    draw=draw_cell,
    cost=CostFormat(cover=covering, chosen=chosen_candidates, modules=candidate_modules)))
