"""Computes the positions of all parts in the picture of a cell, in inches.

It is a layered drawing (Sugiyama et al., 1981). Every node stands in a column
after its predecessors, and the labels of its two edges stand left of it. An edge
that passes a column has a place there. So edges may cross between the columns,
but never cross a box or a label.
"""
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...picture import Point
from .derivation import Nodes

STATE_WIDTH, NODE_WIDTH, STATE_HEIGHT = .62, .4, .5
LABEL_WIDTH, LABEL_GAP, ARROW = 1.15, .1, .42  # the label of an edge, and the arrow from it to the node
NODE_GAP, STATE_GAP, PASSAGE_GAP = .3, .6, .15  # between neighbours in a column
COLUMN_GAP = 1.7  # at most
PORT_GAP = .08  # between the points where edges leave or enter a box
STARTS, SWEEPS = 24, 40


class Box(NamedTuple):
    """A box by its centre and its size."""
    x: float
    y: float
    width: float
    height: float


class Input(NamedTuple):
    """An edge into a node.

    Args:
        operation (str): the operation of the edge.
        label (Box): the box of the operation's name.
        route (list[tuple]): points from the predecessor to the label: a curve
            to the second point, a straight line to the third, a curve, ...
        arrow (list[tuple]): the two points of the curve from the label to the node.
    """
    operation: str
    label: Box
    route: list[Point]
    arrow: list[Point]


@dataclass(frozen=True)
class CellGraph:
    """The positions of a cell's parts.

    Args:
        height (float): the height of the graph; y goes up from 0.
        states (list[Box]): the two inputs of the cell and its nodes.
        inputs (list[list[Input]]): the edges into each node, in the genotype's
            order.
        output (Box): the output of the cell.
        outputs (list[list[tuple]]): the route from each node to the output.
    """
    height: float
    states: list[Box]
    inputs: list[list[Input]]
    output: Box
    outputs: list[list[Point]]


class _Item:
    """A part of a column: a state with its labels, or the passage of an edge."""

    def __init__(self, height: float = 0., number: int | None = None) -> None:
        self.height = height
        self.number = number  # of a state
        self.y = 0.
        self.place = 0  # in its column, from above
        self.back: list[_Link] = []  # links to the column before and to the column after it
        self.forth: list[_Link] = []
        self.is_passage = number is None

    def neighbours(self, side: str) -> list['_Item']:
        return [link.start for link in self.back] if side == 'back' else [link.end for link in self.forth]


class _Link:
    """The part of an edge between neighbouring columns, with its offsets from the middles of the items at its ends."""

    def __init__(self, start: _Item, end: _Item) -> None:
        self.start, self.end = start, end
        self.leaves = self.enters = 0.
        start.forth.append(self)
        end.back.append(self)


_Column = list[_Item]  # from above


def lay_out(nodes: Nodes, width: float, label_height: float) -> CellGraph:
    """The positions of the parts of a genotype's cell.

    Args:
        nodes (list): two [operation, predecessor] per node.
        width (float): the width of the graph.
        label_height (float): the height of an edge's label.
    """
    ranks = [0, 0]
    for node in nodes:
        ranks.append(1 + max(ranks[predecessor] for _, predecessor in node))
    ranks.append(1 + max(ranks))  # the output
    heights = [STATE_HEIGHT] * 2 + [2 * label_height + LABEL_GAP] * len(nodes) + [STATE_HEIGHT]
    states = [_Item(height, number) for number, height in enumerate(heights)]
    columns: list[_Column] = [[] for _ in range(ranks[-1] + 1)]
    for state, rank in zip(states, ranks, strict=True):
        columns[rank].append(state)

    def connect(start: int, end: int) -> list[_Link]:
        """The links of an edge, with a passage in each column between its ends."""
        chain = [states[start]]
        for rank in range(ranks[start] + 1, ranks[end]):
            chain.append(_Item())
            columns[rank].append(chain[-1])
        chain.append(states[end])
        return [_Link(a, b) for a, b in zip(chain, chain[1:], strict=False)]

    edges = [[connect(predecessor, i + 2) for _, predecessor in node] for i, node in enumerate(nodes)]
    last = [connect(i + 2, len(states) - 1) for i in range(len(nodes))]
    _arrange(columns, (label_height + LABEL_GAP) / 2)

    widths = [STATE_WIDTH] + [LABEL_WIDTH + ARROW + NODE_WIDTH] * (len(columns) - 2) + [STATE_WIDTH]
    gap = min(COLUMN_GAP, (width - sum(widths)) / (len(columns) - 1))
    x = (width - sum(widths) - gap * (len(columns) - 1)) / 2
    spans = []
    for w in widths:
        spans.append((x, x + w))
        x += w + gap

    items = [item for column in columns for item in column]
    bottom = min(item.y - item.height / 2 for item in items)
    top = max(item.y + item.height / 2 for item in items)

    def route(links: list[_Link], rank: int) -> list[Point]:
        points: list[Point] = []
        for i, link in enumerate(links):
            points.append((spans[rank + i][1], link.start.y + link.leaves - bottom))
            points.append((spans[rank + i + 1][0], link.end.y + link.enters - bottom))
        return points

    def box(state: int) -> Box:
        left, right = spans[ranks[state]]
        w = NODE_WIDTH if 2 <= state < len(states) - 1 else STATE_WIDTH
        return Box(right - w / 2, states[state].y - bottom, w, STATE_HEIGHT)

    inputs: list[list[Input]] = []
    for i, (node, links) in enumerate(zip(nodes, edges, strict=True)):
        inputs.append([])
        target = box(i + 2)
        for (operation, predecessor), parts in zip(node, links, strict=True):
            points = route(parts, ranks[predecessor])
            x, y = points[-1]
            label = Box(x + LABEL_WIDTH / 2, y, LABEL_WIDTH, label_height)
            port = target.y + (.12 if y > target.y else -.12)
            arrow = [(x + LABEL_WIDTH, y), (target.x - target.width / 2, port)]
            inputs[-1].append(Input(operation, label, points, arrow))
    return CellGraph(top - bottom, [box(state) for state in range(len(states) - 1)], inputs, box(len(states) - 1),
                     [route(links, ranks[i + 2]) for i, links in enumerate(last)])


def _arrange(columns: list[_Column], slot: float) -> None:
    """Sets the place and the y of every item: of several starts, that with the fewest crossings and then bends."""
    shuffle = random.Random(0).shuffle  # with a seed: always the same picture
    best: tuple[tuple[int, float], list[_Column]] | None = None
    tried: set[tuple[tuple[int, ...], ...]] = set()
    for start in range(STARTS):
        for column in columns[1:]:  # the inputs stay: their exchange would mirror the graph
            if start:
                shuffle(column)
        _renumber(columns)
        _untangle(columns)
        order = tuple(tuple(id(item) for item in column) for column in columns)
        crossings = sum(_crossings(a, b, 'forth') for column in columns for i, a in enumerate(column)
                        for b in column[i + 1:])
        if order in tried or best and crossings > best[0][0]:
            continue
        tried.add(order)
        length = _stretch(columns, slot)
        if best is None or (crossings, length) < best[0]:
            best = (crossings, length), [list(column) for column in columns]
    if best is not None:
        columns[:] = best[1]
    _renumber(columns)
    _stretch(columns, slot)


def _renumber(columns: Sequence[_Column]) -> None:
    for column in columns:
        for i, item in enumerate(column):
            item.place = i


def _untangle(columns: list[_Column]) -> None:
    """Sorts items by the mean place of their neighbours, then swaps adjacent items while that removes crossings."""
    for _ in range(3):
        for side, sweep in (('back', columns[1:]), ('forth', columns[-2:0:-1])):
            for column in sweep:
                means = {item: _mean([other.place for other in item.neighbours(side)] or [item.place])
                         for item in column}
                column.sort(key=means.__getitem__)
                _renumber([column])
    changed = True
    while changed:
        changed = False
        for column in columns[1:]:
            for i in range(len(column) - 1):
                a, b = column[i:i + 2]
                if sum(_crossings(b, a, side) - _crossings(a, b, side) for side in ('back', 'forth')) < 0:
                    column[i:i + 2] = b, a
                    a.place, b.place = i + 1, i
                    changed = True


def _crossings(above: _Item, below: _Item, side: str) -> int:
    return sum(a.place > b.place for a in above.neighbours(side) for b in below.neighbours(side))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _stretch(columns: Sequence[_Column], slot: float) -> float:
    """Sets the y of all items in their order, near the items that they are linked to; returns the cost."""
    for column in columns:
        y = 0.
        for i, item in enumerate(column):
            y -= _distance(column[i - 1], item) if i else 0.
            item.y = y
        for item in column:
            item.y -= y / 2
    for sweep in range(SWEEPS):
        _set_ports(columns, slot)
        for column in columns if sweep % 2 else columns[::-1]:
            _settle(column)
    _set_ports(columns, slot)
    items = [item for column in columns for item in column]
    height = max(item.y + item.height / 2 for item in items) - min(item.y - item.height / 2 for item in items)
    bends = sum(abs(link.end.y + link.enters - link.start.y - link.leaves) for item in items for link in item.forth)
    numbers = [[item.number for item in column if item.number is not None] for column in columns]
    swapped = sum(a > b for column in numbers for i, a in enumerate(column) for b in column[i + 1:])
    return round(bends + 2 * height + swapped / 2, 6)


def _set_ports(columns: Sequence[_Column], slot: float) -> None:
    for item in (item for column in columns for item in column if not item.is_passage):
        item.forth.sort(key=lambda link: link.end.place)
        item.back.sort(key=lambda link: link.start.place)
        for i, link in enumerate(item.forth):
            link.leaves = _port(i, len(item.forth))
        for i, link in enumerate(item.back):
            link.enters = (slot, -slot)[i] if item.forth else _port(i, len(item.back))


def _port(i: int, number: int) -> float:
    spread = min(PORT_GAP, (STATE_HEIGHT - .12) / max(number - 1, 1))
    return ((number - 1) / 2 - i) * spread


def _distance(above: _Item, below: _Item) -> float:
    if above.is_passage or below.is_passage:
        gap = PASSAGE_GAP
    else:
        gap = NODE_GAP if above.back else STATE_GAP
    return (above.height + below.height) / 2 + gap


def _settle(column: _Column) -> None:
    """Moves the items of a column towards their neighbours, as far as the distances between the items allow."""
    # (weighted sum, weight, items) of items that touch, moved up by their depth
    blocks: list[tuple[float, float, list[tuple[_Item, float]]]] = []
    depth = 0.
    for i, item in enumerate(column):
        depth += _distance(column[i - 1], item) if i else 0.
        pulls = [(link.start.y + link.leaves - link.enters, link.start) for link in item.back]
        pulls += [(link.end.y + link.enters - link.leaves, link.end) for link in item.forth]
        weights = [(4 if other.is_passage else 2) if item.is_passage else 1 for _, other in pulls]
        if not pulls:  # an input of the cell without an edge
            pulls, weights = [(item.y, item)], [1]
        total = sum(w * (y + depth) for w, (y, _) in zip(weights, pulls, strict=True))
        blocks.append((total, sum(weights), [(item, depth)]))
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] < blocks[-1][0] / blocks[-1][1]:
            total, weight, items = blocks.pop()
            blocks[-1] = (blocks[-1][0] + total, blocks[-1][1] + weight, blocks[-1][2] + items)
    for total, weight, items in blocks:
        for item, depth in items:
            item.y = total / weight - depth
