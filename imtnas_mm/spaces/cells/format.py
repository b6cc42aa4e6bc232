"""The architecture files of the spaces of cells: check, summary, network and picture, which each space registers."""
from collections.abc import Mapping
from functools import partial
from typing import Any

from ...genotype import Place, check_importance, check_object
from ...space_format import Candidate, Choice, CostFormat, PhaseFormat, SpaceFormat
from .derivation import Nodes
from .layout import CELLS, COLUMN, EDGES, NODES, NONE, OPERATIONS, STAGES, Edge, reductions
from .network import CellNet
from .picture import draw_cells
from .sheet import cells_sheet
from .traits import CellTraits

PLAIN = CellTraits()


def cell_format(name: str, title: str, traits: CellTraits = PLAIN, published: Mapping[str, dict] | None = None,
                phases: PhaseFormat | None = None) -> SpaceFormat:
    """The format of a space of cells, whose derived network is :class:`CellNet`.

    An architecture is ``{'normal': nodes, 'reduce': nodes}``. A cell has four
    nodes, and a node has two inputs, ``[operation, predecessor]``.

    Args:
        name (str): the name of the space and of its supernet.
        title (str): the name of the space in pictures.
        traits (CellTraits): the differences to DARTS.
        published (dict[str, dict], optional): architectures by name, as
            :func:`read_cells` returns them.
        phases (PhaseFormat, optional): of a space that is searched in phases.
    """
    return SpaceFormat(
        name=name,
        title=title,
        network=CellNet,  # a cell is searched in a small network and evaluated in a large one: no option is shared
        check=partial(check_cells, name, traits),
        summary=summarise,
        stages=lambda architecture: STAGES,
        blocks=block_labels,
        published=published or {},
        choices=partial(choice_names, traits),
        never_taken=(NONE, ),
        draw=partial(draw_cells, title, traits),
        sheet=cells_sheet,
        phases=phases,
        cost=CostFormat(cover=covering, chosen=chosen_candidates, modules=candidate_modules,
                        alike=alike_candidates()))


def choice_names(traits: CellTraits, architecture: dict[str, Any]) -> dict[str, list[Choice]]:
    """The edges of both cells and their operations; with ``traits.weighs_edges`` also the edges into each node.

    The states have the names of the picture: the two inputs are c(k-2) and c(k-1), nodes count from 0.
    """
    states = ('c(k-2)', 'c(k-1)', *map(str, range(NODES)))
    named = {cell: [Choice(f'{cell} {states[edge.predecessor]} to {edge.node}', OPERATIONS) for edge in EDGES]
             for cell in CELLS}
    if traits.weighs_edges:
        named.update({
            f'{cell}_edges{i}': [Choice(f'{cell}, into {i}', tuple(f'from {state}' for state in states[:i + 2]))]
            for cell in CELLS for i in range(NODES)})
    return named


def check_cells(space: str, traits: CellTraits, architecture: Any, importance: Any, root: Place) -> None:
    """Refuses anything but an architecture of cells."""
    check_object(architecture, root['architecture'], CELLS)
    for cell in CELLS:
        nodes, place = architecture[cell], root['architecture'][cell]
        if not isinstance(nodes, list) or len(nodes) != NODES:
            place.fail(nodes, f'a cell is a list of {NODES} nodes, each two [operation, predecessor]')
        for i, node in enumerate(nodes):
            _check_node(i, node, space, traits, place[i])
    if importance is None:
        return
    shapes: dict[str, tuple[int, ...]] = {cell: (len(EDGES), len(OPERATIONS)) for cell in CELLS}
    if traits.weighs_edges:
        shapes.update({f'{cell}_edges{i}': (i + 2, ) for cell in CELLS for i in range(NODES)})
    check_importance(importance, shapes, root['importance'], sums=not traits.has_activation_probabilities)


def _check_node(index: int, node: Any, space: str, traits: CellTraits, place: Place) -> None:
    operations = [operation for operation in OPERATIONS if operation != NONE]
    if not isinstance(node, list) or len(node) != 2:
        place.fail(node, 'a node is a list of two [operation, predecessor]')
    for j, pair in enumerate(node):
        if not isinstance(pair, list) or len(pair) != 2:
            place[j].fail(pair, 'it must be [operation, predecessor]')
        operation, predecessor = pair
        if operation not in operations:
            place[j][0].fail(operation, f'known operations are {", ".join(operations)}')
        if isinstance(predecessor, bool) or not isinstance(predecessor, int) or not 0 <= predecessor < index + 2:
            place[j][1].fail(predecessor, f'the predecessors of node {index} are the states 0 to {index + 1}')
    if node[0] == node[1]:
        place.fail(node, 'the two inputs of a node must differ')
    if node[0][1] == node[1][1] and not traits.joins_operations:
        place.fail(node, f'the two inputs of a node of {space} come from two predecessors')


def summarise(architecture: dict[str, Any]) -> str:
    """``normal sep3-1 sep3-0 | skip-0 sep3-1 | ... reduce max-0 ...``"""
    cells = []
    for cell, nodes in architecture.items():
        nodes = [' '.join(f'{short_name(operation)}-{state}' for operation, state in node) for node in nodes]
        cells.append(f'{cell} {" | ".join(nodes)}')
    return '  '.join(cells)


def short_name(operation: str) -> str:
    """``'sep_conv_3x3'`` -> ``'sep3'``, ``'skip_connect'`` -> ``'skip'``; the kernel of a pool is always 3."""
    kind = operation.split('_')[0]
    return f'{kind}{operation[-1]}' if 'conv' in operation else kind


def read_cells(normal: str, reduce: str) -> dict[str, Nodes]:
    """The architecture of two cells in the notation of :func:`summarise`, ``'sep3-1 sep3-0 | ...'``."""
    long_names = {short_name(operation): operation for operation in OPERATIONS}

    def read(text: str) -> Nodes:
        pairs = [[pair.split('-') for pair in node.split()] for node in text.split('|')]
        return [[[long_names[name], int(state)] for name, state in node] for node in pairs]

    return dict(normal=read(normal), reduce=read(reduce))


def block_labels(architecture: dict[str, Any], number: int) -> dict[str, str]:
    """The labels of the stem and the cells of a search network of ``number`` blocks, or of the fewest legal number."""
    cells = max(number - 1, 3)
    reducing = reductions(cells)
    return {'stem': '', **{f'cell{i + 1}': 'reduction' if i in reducing else 'normal' for i in range(cells)}}


def covering(architecture: dict[str, Any]) -> list[dict[str, Any]]:
    """Cells of a single operation, for each but ``none``; with edges from inputs of the cell and from a node."""
    return [{kind: [[[operation, 0], [operation, min(node + 1, 2)]] for node in range(NODES)] for kind in CELLS}
            for operation in OPERATIONS if operation != NONE]


def alike_candidates() -> dict[Candidate, Candidate]:
    """An operation costs the same on all edges from the inputs of a cell, and on all edges from its nodes."""
    return {(kind, i, column): (kind, EDGES.index(Edge(0, 0) if edge.predecessor < 2 else Edge(1, 2)), column)
            for kind in CELLS for i, edge in enumerate(EDGES) for column in COLUMN.values()}


def chosen_candidates(architecture: dict[str, Any]) -> list[Candidate]:
    """``(kind of cell, edge, operation)`` of each edge; the indices are those of ``EDGES`` and ``OPERATIONS``."""
    return [(kind, EDGES.index(Edge(node, state)), COLUMN[operation])
            for kind in CELLS for node, pairs in enumerate(architecture[kind]) for operation, state in pairs]


def candidate_modules(network: CellNet) -> dict[str, Candidate]:
    """The modules of each edge's operation, one per cell of its kind in a derived network."""
    modules = {}
    for i in range(len(network.cells)):
        kind = 'reduce' if i in network.reductions else 'normal'
        for node, pairs in enumerate(network.genotype.architecture[kind]):
            for operation, state in pairs:
                modules[f'cells.{i}.edges.node{node}_{operation}_{state}'] = (
                    kind, EDGES.index(Edge(node, state)), COLUMN[operation])
    return modules
