"""Draws cells as graphs, and importance weights as heat maps. Lengths are inches, y goes up."""
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
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
    Point,
    blank,
    draw_box,
    draw_route,
    heading,
    legend,
    note,
    operation_label,
    weight_square,
)
from .derivation import Nodes
from .graph import CellGraph, lay_out
from .layout import AVG_POOL, CELLS, DILATED, EDGES, MAX_POOL, NODES, NONE, OPERATIONS, SEPARABLE, SKIP, Edge
from .traits import CellTraits

CELL_TITLES = {'normal': 'Normal cell', 'reduce': 'Reduction cell'}
STATES = ('$c_{k{-}2}$', '$c_{k{-}1}$', *map(str, range(NODES)))
OUTPUT = '$c_k$'
KINDS = {  # operation -> kind, fill, edge
    **dict.fromkeys(SEPARABLE, ('separable convolution', '#9ecae8', '#3b78a8')),
    **dict.fromkeys(DILATED, ('dilated convolution', '#f6b26b', '#b8701f')),
    **dict.fromkeys((MAX_POOL, AVG_POOL), ('pooling', '#b5d9a3', '#4f8a3c')),
    SKIP: ('skip connection', '#d8c7ea', '#7d5ba6'),
}
JOIN = '#a9a9a9'  # the edges to the output
LABEL, TALL_LABEL = .27, .42  # the height without and with a weight
ABOVE_GRAPH, BELOW_GRAPH = .5, .3
NODE_GAP, NAMES = .09, 1.05  # of a heat map; NAMES is the room for the operations left of it
PHASE_GAP = .35
PHASE_ROOM = .85  # the height of a row of phases beyond its heat maps


def draw_cells(name: str, traits: CellTraits, genotype: Genotype, title: str | None) -> Figure:
    """The two cells, and below them the weights that they are derived from, as multiples of uniform weights.

    An operation that is no better than chance is pale and dashed. Probabilities of gates, which have no uniform value,
    are drawn as they are.

    Args:
        name (str): the name of the space.
        traits (CellTraits): the traits of the space.
        genotype (Genotype): the architecture.
        title (str, optional): follows the name.
    """
    importance = genotype.importance
    map_width = heat_map_width()
    width = 2 * MARGIN + NAMES + 2 * map_width + PHASE_GAP
    label_height = TALL_LABEL if importance else LABEL
    graphs = {cell: lay_out(genotype.architecture[cell], width - 2 * MARGIN, label_height) for cell in CELLS}
    weighs_edges = traits.weighs_edges and importance is not None
    height = .45 + sum(ABOVE_GRAPH + graph.height + BELOW_GRAPH for graph in graphs.values())
    if importance:
        height += heat_map_height(weighs_edges) + .95
    figure, axes = blank(width, height)
    heading(axes, name, title)
    legend(axes, legend_handles())

    top, dashed = height - .45, False
    for cell, graph in graphs.items():
        weights = edge_notes(genotype.architecture[cell], importance, cell, traits) if importance else None
        draw_cell(axes, cell, graph, top, weights, remark_of(traits) if importance else '')
        dashed |= any(edge.unsure for node in weights or () for edge in node)
        top -= ABOVE_GRAPH + graph.height + BELOW_GRAPH
    if not importance:
        return figure

    probability = traits.has_activation_probabilities
    scope = 'of every gate' if probability else 'of every operation on every edge, as multiples of the uniform one'
    heading(axes, 'Activation probabilities' if probability else 'Importance weights',
            f'{scope}; framed: taken into the cell' + f'; {UNSURE_NOTE}' * dashed, y=top - .22, size=10)
    top -= .7
    shown = {cell: importance[cell] if probability else multiples(importance[cell], traits.narrows_candidates)
             for cell in CELLS}
    edges = {cell: [weight for node in range(NODES) for weight in multiples([edges_into(importance, cell, node)])[0]]
             for cell in CELLS} if weighs_edges else {}
    highest = 1 if probability else max(PALE, *(max(row) for rows in shown.values() for row in rows))
    for i, cell in enumerate(CELLS):
        kept = [[operation for operation, weight in zip(OPERATIONS, row, strict=True)
                 if weight or not traits.narrows_candidates] for row in importance[cell]]
        heat_map(axes, cell, MARGIN + NAMES + i * (map_width + PHASE_GAP), top, shown[cell], kept,
                 taken(genotype.architecture[cell]), highest, names=not i, edge_weights=edges.get(cell),
                 head=CELL_TITLES[cell])
    return figure


def phases_figure(phases: Sequence[Mapping[str, Any]], title: str | None, genotype: Genotype | None) -> Figure:
    """The candidates of P-DARTS in each phase, the phases side by side and the final cells below.

    Args:
        phases (list[dict]): ``importance`` and ``candidates`` of each phase.
            ``importance`` has 14 rows of weights per cell in the order of
            ``OPERATIONS``; ``candidates`` has the names of the candidates on
            each of the 14 edges.
        title (str, optional): follows the name of the space.
        genotype (Genotype, optional): the result. Its operations are framed in
            the phases. Without it, only the phases are drawn.
    """
    map_width = heat_map_width()
    width = 2 * MARGIN + NAMES + len(phases) * (map_width + PHASE_GAP) - PHASE_GAP
    graphs = {cell: lay_out(genotype.architecture[cell], width - 2 * MARGIN, LABEL) for cell in CELLS} \
        if genotype else {}
    height = .55 + len(CELLS) * (heat_map_height() + PHASE_ROOM)
    height += sum(ABOVE_GRAPH + graph.height + BELOW_GRAPH for graph in graphs.values())
    figure, axes = blank(width, height)
    heading(axes, 'P-DARTS', title)
    if graphs:
        legend(axes, legend_handles())

    remark = 'weight of every candidate, as a multiple of the uniform one'
    remark += '; framed: taken into the final cell' if genotype else ''
    top = height - .45
    for cell in CELLS:
        heading(axes, CELL_TITLES[cell], remark, y=top - .22, size=10)
        for i, phase in enumerate(phases):
            candidates = phase['candidates'][cell]
            weights = multiples(phase['importance'][cell], narrows=True)
            highest = max(PALE, *(max(row) for row in weights))
            number = max(map(len, candidates))
            heat_map(axes, cell, MARGIN + NAMES + i * (map_width + PHASE_GAP), top - .7, weights, candidates,
                     taken(genotype.architecture[cell]) if genotype else (), highest, names=not i,
                     head=f'phase {i + 1}: {number} candidates per edge', phase=i)
        top -= heat_map_height() + PHASE_ROOM
    for cell, graph in graphs.items():
        draw_cell(axes, cell, graph, top, prefix='Final ')
        top -= ABOVE_GRAPH + graph.height + BELOW_GRAPH
    return figure


def edge_index(node: int, predecessor: int) -> int:
    return EDGES.index(Edge(node, predecessor))


def taken(nodes: Nodes) -> set[tuple[int, str]]:
    """{(edge, operation)} of a cell."""
    return {(edge_index(i, predecessor), operation) for i, node in enumerate(nodes) for operation, predecessor in node}


def edges_into(importance: Mapping[str, Any], cell: str, node: int) -> list[float]:
    """The weights of the edges into a node; they sum to 1."""
    return importance[f'{cell}_edges{node}']


def multiples(rows: Sequence[Sequence[float]], narrows: bool = False) -> list[list[float]]:
    """Rows of weights as multiples of uniform ones, 1/n each. With ``narrows`` n leaves out options of weight 0."""
    return [[weight * options(row, narrows) for weight in row] for row in rows]


def options(row: Sequence[float], narrows: bool) -> int:
    """Number of options of a row; with ``narrows`` those of weight 0, which the search has dropped, don't count."""
    return sum(weight > 0 for weight in row) if narrows else len(row)


def remark_of(traits: CellTraits) -> str:
    """The explanation of the numbers below the operations."""
    if traits.has_activation_probabilities:
        return 'below an operation: the activation probability of its gate'
    return ('below an operation: its weight as a multiple of the uniform one'
            + (', and that of its edge' if traits.weighs_edges else ''))


class EdgeNote(NamedTuple):
    """The text below an operation, and whether the operation leads the next one of its edge by no more than chance."""
    text: str
    unsure: bool


def edge_notes(nodes: Nodes, importance: Mapping[str, Any], cell: str, traits: CellTraits) -> list[list[EdgeNote]]:
    """The notes on the two operations of each node."""
    notes: list[list[EdgeNote]] = []
    for i, node in enumerate(nodes):
        notes.append([])
        for operation, predecessor in node:
            row, place = importance[cell][edge_index(i, predecessor)], OPERATIONS.index(operation)
            without = [OPERATIONS.index(other) for other in (NONE, *(o for o, state in node if state == predecessor))]
            text = f'{row[place]:.2f}'
            if not traits.has_activation_probabilities:
                text = multiple(row[place], options(row, traits.narrows_candidates))
            if traits.weighs_edges:
                weights = edges_into(importance, cell, i)
                text += f' · edge {multiple(weights[predecessor], len(weights))}'
            notes[-1].append(EdgeNote(text, lead(row, place, without) < UNSURE))
    return notes


def legend_handles() -> list[Artist]:
    """The kinds of operations, and the concatenation."""
    kinds = [Patch(facecolor=fill, edgecolor=edge, label=name) for name, fill, edge in dict.fromkeys(KINDS.values())]
    return [*kinds, Line2D([], [], color=JOIN, lw=1.4, label='concatenation')]


def draw_cell(axes: Axes, cell: str, graph: CellGraph, top: float, weights: Sequence[Sequence[EdgeNote]] | None = None,
              remark: str = '', prefix: str = '', left: float = MARGIN, ids: str = '') -> None:
    """The graph of a cell below its heading.

    Args:
        axes (Axes): where to draw.
        cell (str): ``normal`` or ``reduce``.
        graph (CellGraph): its positions.
        top (float): y of the heading.
        weights (list[list[EdgeNote]], optional): of :func:`edge_notes`.
        remark (str): explains their texts.
        prefix (str): stands before the name of the cell.
        left (float): x of the heading.
        ids (str): stands before the ids in the SVG.
    """
    remarks = ['edges from its two inputs have stride 2'] if cell == 'reduce' else []
    remarks += [remark] if remark else []
    heading(axes, (prefix + CELL_TITLES[cell]).capitalize(), '; '.join(remarks), left, top - .22, size=10)
    bottom = top - ABOVE_GRAPH - graph.height

    def put(points: Iterable[Point]) -> list[Point]:
        return [(left + x, bottom + y) for x, y in points]

    for i, route in enumerate(graph.outputs):
        draw_route(axes, put(route), JOIN, f'{ids}{cell}-node{i}-output', arrow=True)
    for i, node in enumerate(graph.inputs):
        for j, edge in enumerate(node):
            _, fill, colour = KINDS[edge.operation]
            name = f'{ids}{cell}-node{i}-input{j}'
            draw_route(axes, put(edge.route), colour, name)
            draw_route(axes, put(edge.arrow), colour, f'{name}-arrow', arrow=True)
            (x, y), = put([(edge.label.x, edge.label.y)])
            draw_box(axes, (x, y, edge.label.width, edge.label.height), fill, colour, f'{name}-label', .1,
                     weights is not None and weights[i][j].unsure)
            shift = .085 if weights else 0
            note(axes, x, y + shift - .01, operation_label(edge.operation), INK, size=9)
            if weights:
                note(axes, x, y - shift - .02, weights[i][j].text, INK)
    for i, state in enumerate((*graph.states, graph.output)):
        fixed = not 2 <= i < len(graph.states)
        (x, y), = put([(state.x, state.y)])
        draw_box(axes, (x, y, state.width, state.height), FIXED if fixed else '#ffffff', FIXED_EDGE if fixed else INK,
                 f'{ids}{cell}-state{i}')
        note(axes, x, y, (*STATES, OUTPUT)[i], INK, size=11)


def heat_map_width() -> float:
    return len(EDGES) * COLUMN + (NODES - 1) * NODE_GAP


def heat_map_height(weighs_edges: bool = False) -> float:
    """The height of a heat map; the weights of edges take another row."""
    return (len(OPERATIONS) + weighs_edges) * ROW + weighs_edges * NODE_GAP + .53


def heat_map(axes: Axes, cell: str, left: float, top: float, weights: Sequence[Sequence[float]],
             candidates: Sequence[Collection[str]], marked: Iterable[tuple[int, str]], highest: float, names: bool,
             edge_weights: Sequence[float] | None = None, head: str = '', phase: str | int = '') -> None:
    """Operations x edges, with a bracket around the edges into each node.

    Args:
        axes (Axes): where to draw.
        cell (str): ``normal`` or ``reduce``.
        left, top (float): the corner of the map.
        weights (list[list[float]]): the weights of each edge, in the order of ``OPERATIONS``.
        candidates (list[list[str]]): the candidates of each edge; other operations stay blank.
        marked (Iterable): (edge, operation) to frame.
        highest (float): the weight of the darkest colour.
        names (bool): whether the names of the operations stand left of the map.
        edge_weights (list[float], optional): the weights of the edges, as another row.
        head (str): stands above the map.
        phase (str | int): goes into the ids of the SVG.
    """
    note(axes, left, top + .15, head, INK, size=8.5, ha='left')
    columns = [left + e * COLUMN + edge.node * NODE_GAP for e, edge in enumerate(EDGES)]
    for row, operation in enumerate(OPERATIONS):
        y = top - (row + 1) * ROW
        if names:
            note(axes, left - .1, y + ROW / 2, operation_label(operation), INK, size=8, ha='right')
        for e, x in enumerate(columns):
            if operation in candidates[e]:
                weight_square(axes, x, y, weights[e][row], highest, f'{cell}{phase}-weight{e}-{operation}')
            else:
                axes.add_patch(Rectangle((x, y), COLUMN, ROW, facecolor='#f4f4f4', edgecolor='#ffffff', lw=.8,
                                         zorder=.5))
    for e, operation in sorted(marked):
        y = top - (OPERATIONS.index(operation) + 1) * ROW
        axes.add_patch(Rectangle((columns[e], y), COLUMN, ROW, facecolor='none', edgecolor=INK, lw=1.4, zorder=3,
                                 joinstyle='miter', gid=f'{cell}{phase}-taken{e}-{operation}'))
    y = top - len(OPERATIONS) * ROW
    if edge_weights:
        y -= NODE_GAP + ROW
        if names:
            note(axes, left - .1, y + ROW / 2, 'edge', INK, size=8, ha='right')
        for e, x in enumerate(columns):
            weight_square(axes, x, y, edge_weights[e], max(PALE, *edge_weights), f'{cell}-edge{e}')
    if names:
        note(axes, left - .1, y - .13, 'from', size=8, ha='right')
        note(axes, left - .1, y - .43, 'to', size=8, ha='right')
    for edge, x in zip(EDGES, columns, strict=True):
        note(axes, x + COLUMN / 2, y - .13, STATES[edge.predecessor], INK, size=8)
    for node in range(NODES):
        of_node = [x for edge, x in zip(EDGES, columns, strict=True) if edge.node == node]
        a, b = of_node[0] + .04, of_node[-1] + COLUMN - .04
        axes.plot([a, a, b, b], [y - .23, y - .29, y - .29, y - .23], color=FAINT, lw=1)
        note(axes, (a + b) / 2, y - .43, f'node {node}', INK, size=8)
