import random

import pytest

from imtnas_mm.genotype import published_genotype, published_names
from imtnas_mm.spaces.cells.graph import lay_out
from imtnas_mm.spaces.cells.layout import CELLS, NODES

PUBLISHED = [name for name in published_names() if 'normal' in published_genotype(name).architecture]


def random_cell(seed):
    """Now and then a node takes two operations from one predecessor, as PR-DARTS allows."""
    draw = random.Random(seed)
    nodes = []
    for i in range(NODES):
        states = [draw.randrange(i + 2)] * 2 if draw.random() < .2 else draw.sample(range(i + 2), 2)
        nodes.append([['sep_conv_3x3', states[0]], ['skip_connect', states[1]]])
    return nodes


def points_of(route, steps=40):
    """Points of the line that is drawn: Bezier curves with level ends and straight lines by turns."""
    points = []
    for i, ((x0, y0), (x1, y1)) in enumerate(zip(route, route[1:], strict=False)):
        for t in (step / steps for step in range(steps + 1)):
            if i % 2:
                points.append((x0 + (x1 - x0) * t, y0 + (y1 - y0) * t))
                continue
            u, middle = 1 - t, (x0 + x1) / 2
            points.append((u**3 * x0 + 3 * u * t * middle + t**3 * x1,
                           (u**3 + 3 * u * u * t) * y0 + (3 * u * t * t + t**3) * y1))
    return points


def check_clear(nodes, width=12., label_height=.42):
    graph = lay_out(nodes, width, label_height)
    labels = [edge.label for node in graph.inputs for edge in node]
    boxes = [*graph.states, graph.output, *labels]
    for i, a in enumerate(boxes):
        assert a.width / 2 <= a.x + 1e-9 and a.x + a.width / 2 <= width + 1e-9
        assert a.height / 2 <= a.y + 1e-9 and a.y + a.height / 2 <= graph.height + 1e-9
        for b in boxes[i + 1:]:
            apart = abs(a.x - b.x) - (a.width + b.width) / 2, abs(a.y - b.y) - (a.height + b.height) / 2
            assert max(apart) > .05
    edges = [edge for node in graph.inputs for edge in node]
    for route in (*graph.outputs, *(edge.route for edge in edges), *(edge.arrow for edge in edges)):
        for x, y in points_of(route):
            assert -1e-9 <= y <= graph.height + 1e-9
            for box in boxes:
                assert abs(x - box.x) > box.width / 2 - 1e-6 or abs(y - box.y) > box.height / 2 + .05


@pytest.mark.parametrize('name', PUBLISHED)
@pytest.mark.parametrize('cell', CELLS)
def test_published_cells_are_clear(name, cell):
    check_clear(published_genotype(name).architecture[cell])


def test_any_cell_is_clear():
    for seed in range(100):
        check_clear(random_cell(seed))


@pytest.mark.parametrize('name', PUBLISHED)
def test_edges_join_what_the_genotype_says(name):
    for nodes in published_genotype(name).architecture.values():
        graph = lay_out(nodes, 12., .27)
        for i, (node, inputs) in enumerate(zip(nodes, graph.inputs, strict=True)):
            for (operation, predecessor), edge in zip(node, inputs, strict=True):
                assert edge.operation == operation
                assert touches(edge.route[0], graph.states[predecessor], 1)
                assert touches(edge.route[-1], edge.label, -1) and touches(edge.arrow[0], edge.label, 1)
                assert touches(edge.arrow[1], graph.states[i + 2], -1)
            assert touches(graph.outputs[i][0], graph.states[i + 2], 1)
            assert touches(graph.outputs[i][-1], graph.output, -1)


def touches(point, box, side):
    return point[0] == pytest.approx(box.x + side * box.width / 2) and abs(point[1] - box.y) < box.height / 2


def test_time_goes_right():
    graph = lay_out(published_genotype('pr_darts').architecture['normal'], 12., .27)
    assert graph.states[0].x == graph.states[1].x
    x = [state.x for state in (*graph.states[1:], graph.output)]
    assert x == sorted(x) and len(set(x)) == len(x)


def test_edges_cross_no_more_than_they_must():
    """Each of three nodes that take both inputs: K2,3 has no drawing in two columns with fewer than 3 crossings."""
    nodes = [[['sep_conv_3x3', 0], ['sep_conv_3x3', 1]]] * 3 + [[['sep_conv_3x3', 3], ['skip_connect', 4]]]
    graph = lay_out(nodes, 12., .27)
    edges = [edge.route for node in graph.inputs[:3] for edge in node]
    assert sum((a[0][1] - b[0][1]) * (a[-1][1] - b[-1][1]) < 0 for i, a in enumerate(edges) for b in edges[i + 1:]) == 3


def test_parallel_edges_stay_apart():
    nodes = [[['sep_conv_3x3', 1], ['skip_connect', 1]], *[[['max_pool_3x3', i + 2], ['skip_connect', i + 2]]
                                                          for i in range(3)]]
    check_clear(nodes)  # no node takes the first input
    for a, b in lay_out(nodes, 12., .27).inputs:
        assert all(abs(p[1] - q[1]) > .05 for p, q in zip(a.route, b.route, strict=True))


def test_same_cell_gives_the_same_graph():
    nodes = random_cell(3)
    assert lay_out(nodes, 12., .27) == lay_out(nodes, 12., .27)
