"""Where everything goes in the picture of a cell, in inches.

A layered drawing (Sugiyama et al., 1981): every node is a column after those
it takes from, with the labels of its two edges left of it; an edge that passes
a column has a place of its own there, so that edges can meet one another
between the columns but never a box or a label.
"""
import random
from dataclasses import dataclass
from typing import NamedTuple

STATE_WIDTH, NODE_WIDTH, STATE_HEIGHT = .62, .4, .5
LABEL_WIDTH, LABEL_GAP, ARROW = 1.15, .1, .42  # of an edge's label; the arrow leads from it to the node
NODE_GAP, STATE_GAP, PASSAGE_GAP = .3, .6, .15  # above one another in a column
COLUMN_GAP = 1.7  # at most
PORT_GAP = .08  # between edges where they leave or enter a box
STARTS, SWEEPS = 24, 40


class Box(NamedTuple):
    """Its centre and size."""
    x: float
    y: float
    width: float
    height: float


class Input(NamedTuple):
    """An edge into a node.

    Args:
        operation (str): of the edge.
        label (Box): of the operation.
        route (list[tuple]): points from the predecessor to the label: a curve
            to the second, a straight line to the third, a curve, ...
        arrow (list[tuple]): the two points of the curve from the label to the node.
    """
    operation: str
    label: Box
    route: list
    arrow: list


@dataclass(frozen=True)
class CellGraph:
    """Args:
        height (float): of the whole; y goes up from 0.
        states (list[Box]): the two inputs of the cell and its nodes.
        inputs (list[list[Input]]): for each node, in the genotype's order.
        output (Box): the cell's output.
        outputs (list[list[tuple]]): for each node the route to the output.
    """
    height: float
    states: list
    inputs: list
    output: Box
    outputs: list


class _Item:
    """What takes height in a column: a state with its labels, or the passage of an edge."""

    def __init__(self, height=0., number=None):
        self.height = height
        self.number = number  # of a state
        self.y = 0.
        self.place = 0  # in its column, from above
        self.back, self.forth = [], []  # links to the columns beside it
        self.is_passage = number is None

    def neighbours(self, side):
        return [link.start for link in self.back] if side == 'back' else [link.end for link in self.forth]


class _Link:
    """The part of an edge between neighbouring columns; it leaves and enters at an offset from the items' middles."""

    def __init__(self, start, end):
        self.start, self.end = start, end
        self.leaves = self.enters = 0.
        start.forth.append(self)
        end.back.append(self)


def lay_out(nodes, width, label_height):
    """:class:`CellGraph` of a genotype's cell.

    Args:
        nodes (list): two [operation, predecessor] for each node.
        width (float): of the whole.
        label_height (float): of an edge's label.
    """
    ranks = [0, 0]
    for node in nodes:
        ranks.append(1 + max(ranks[predecessor] for _, predecessor in node))
    ranks.append(1 + max(ranks))  # the output
    heights = [STATE_HEIGHT] * 2 + [2 * label_height + LABEL_GAP] * len(nodes) + [STATE_HEIGHT]
    states = [_Item(height, number) for number, height in enumerate(heights)]
    columns = [[] for _ in range(ranks[-1] + 1)]
    for state, rank in zip(states, ranks, strict=True):
        columns[rank].append(state)

    def connect(start, end):
        """The links of an edge, with a passage in each column between."""
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

    def route(links, rank):
        points = []
        for i, link in enumerate(links):
            points.append((spans[rank + i][1], link.start.y + link.leaves - bottom))
            points.append((spans[rank + i + 1][0], link.end.y + link.enters - bottom))
        return points

    def box(state):
        left, right = spans[ranks[state]]
        w = NODE_WIDTH if 2 <= state < len(states) - 1 else STATE_WIDTH
        return Box(right - w / 2, states[state].y - bottom, w, STATE_HEIGHT)

    inputs = []
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


def _arrange(columns, slot):
    """Give every item its place and its y: the fewest crossings, then the least bent, of some starts."""
    shuffle = random.Random(0).shuffle  # the same picture every time
    best, tried = None, set()
    for start in range(STARTS):
        for column in columns[1:]:  # the inputs stay: turned over, it would be the same graph
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
    columns[:] = best[1]
    _renumber(columns)
    _stretch(columns, slot)


def _renumber(columns):
    for column in columns:
        for i, item in enumerate(column):
            item.place = i


def _untangle(columns):
    """Put items at the mean place of their neighbours, then swap two in a row while that undoes crossings."""
    for _ in range(3):
        for side, sweep in (('back', columns[1:]), ('forth', columns[-2:0:-1])):
            for column in sweep:
                means = {item: _mean([other.place for other in item.neighbours(side)] or [item.place])
                         for item in column}
                column.sort(key=means.get)
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


def _crossings(above, below, side):
    return sum(a.place > b.place for a in above.neighbours(side) for b in below.neighbours(side))


def _mean(values):
    return sum(values) / len(values)


def _stretch(columns, slot):
    """Set the y of items in their order, near those they are linked to; returns what it costs."""
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


def _set_ports(columns, slot):
    for item in (item for column in columns for item in column if not item.is_passage):
        item.forth.sort(key=lambda link: link.end.place)
        item.back.sort(key=lambda link: link.start.place)
        for i, link in enumerate(item.forth):
            link.leaves = _port(i, len(item.forth))
        for i, link in enumerate(item.back):
            link.enters = (slot, -slot)[i] if item.forth else _port(i, len(item.back))


def _port(i, number):
    spread = min(PORT_GAP, (STATE_HEIGHT - .12) / max(number - 1, 1))
    return ((number - 1) / 2 - i) * spread


def _distance(above, below):
    if above.is_passage or below.is_passage:
        gap = PASSAGE_GAP
    else:
        gap = NODE_GAP if above.back else STATE_GAP
    return (above.height + below.height) / 2 + gap


def _settle(column):
    """Move a column's items as near to where their links pull them as the distances between them allow."""
    blocks, depth = [], 0.  # [weighted sum, weight, items] of those that touch, moved up by their depth
    for i, item in enumerate(column):
        depth += _distance(column[i - 1], item) if i else 0.
        pulls = [(link.start.y + link.leaves - link.enters, link.start) for link in item.back]
        pulls += [(link.end.y + link.enters - link.leaves, link.end) for link in item.forth]
        weights = [(4 if other.is_passage else 2) if item.is_passage else 1 for _, other in pulls]
        if not pulls:  # an input of the cell that no node takes
            pulls, weights = [(item.y, item)], [1]
        total = sum(w * (y + depth) for w, (y, _) in zip(weights, pulls, strict=True))
        blocks.append([total, sum(weights), [(item, depth)]])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] < blocks[-1][0] / blocks[-1][1]:
            total, weight, items = blocks.pop()
            blocks[-1] = [blocks[-1][0] + total, blocks[-1][1] + weight, blocks[-1][2] + items]
    for total, weight, items in blocks:
        for item, depth in items:
            item.y = total / weight - depth
