import re
from collections import Counter
from dataclasses import replace
from xml.etree import ElementTree

import pytest
import torch
from matplotlib.image import imread

from helpers.pictures import SVG, bounds, check_texts, texts
from imtnas_mm.analysis.draw import draw_genotype
from imtnas_mm.genotype import Genotype, genotype_from_dict, published_genotype
from imtnas_mm.picture import operation_label, write_picture
from imtnas_mm.space_format import format_of
from imtnas_mm.spaces.cells.layout import CELLS, EDGES, NODES, OPERATIONS
from imtnas_mm.spaces.cells.picture import KINDS, phases_figure

SPACES = ('darts', 'pdarts', 'pcdarts', 'prdarts')
PUBLISHED = ('darts_v1', 'darts_v2', 'pdarts', 'pc_darts_cifar', 'pc_darts_image', 'pr_darts')
TITLES = ('DARTS', 'P-DARTS', 'PC-DARTS', 'PR-DARTS')
PARALLEL = [[['sep_conv_3x3', 1], ['skip_connect', 1]], [['sep_conv_3x3', 0], ['sep_conv_5x5', 1]],
            [['max_pool_3x3', 2], ['avg_pool_3x3', 2]], [['dil_conv_3x3', 0], ['dil_conv_5x5', 0]]]


def groups(svg):
    """id -> the first path of the group."""
    actual = {}
    for node in ElementTree.parse(svg).iter(f'{SVG}g'):
        if re.match('(normal|reduce)', node.get('id', '')):
            assert node.get('id') not in actual
            actual[node.get('id')] = node.find(f'.//{SVG}path')
    return actual


def weighted(name, space=None):
    """A published genotype with weights that differ from one another; those of pdarts have three candidates."""
    genotype = published_genotype(name)
    genotype = replace(genotype, space=space or genotype.space)
    importance, generator = {}, torch.Generator().manual_seed(0)
    for cell in CELLS:
        alphas = torch.randn(len(EDGES), len(OPERATIONS), generator=generator)
        for i, node in enumerate(genotype.architecture[cell]):
            for operation, predecessor in node:
                alphas[EDGES.index((i, predecessor)), OPERATIONS.index(operation)] += 5
        if genotype.space == 'pdarts':
            alphas.scatter_(1, alphas.argsort(-1)[:, :5], -float('inf'))
        importance[cell] = (alphas.sigmoid() if genotype.space == 'prdarts' else alphas.softmax(-1)).tolist()
        if genotype.space == 'pcdarts':
            for i in range(NODES):
                importance[f'{cell}_edges{i}'] = torch.rand(i + 2, generator=generator).softmax(-1).tolist()
    return genotype_from_dict(replace(genotype, importance=importance).to_dict())


def phases_of(genotype):
    phases = []
    for number in (8, 5, 3):
        importance, candidates = {}, {}
        for cell in CELLS:
            weights = torch.tensor(genotype.importance[cell])
            order = weights.argsort(dim=-1, descending=True, stable=True)
            kept = [sorted(row) for row in order[:, :number].tolist()]
            candidates[cell] = [[OPERATIONS[i] for i in row] for row in kept]
            importance[cell] = [[1 / number if i in row else 0. for i in range(8)] for row in kept]
        phases.append(dict(importance=importance, candidates=candidates))
    return phases


@pytest.mark.parametrize('name', PUBLISHED)
def test_picture_holds_every_edge_and_label(tmp_path, name):
    genotype = published_genotype(name)
    svg, png = draw_genotype(genotype, tmp_path / 'new' / 'cells')
    assert (svg, png) == (tmp_path / 'new' / 'cells.svg', tmp_path / 'new' / 'cells.png')
    pairs = [pair for cell in CELLS for node in genotype.architecture[cell] for pair in node]
    labels = Counter(operation_label(operation) for operation, _ in pairs)
    assert Counter(text for text in texts(svg) if text in map(operation_label, OPERATIONS)) == labels
    assert TITLES[SPACES.index(genotype.space)] in texts(svg) and name in texts(svg)
    actual = groups(svg)
    for cell in CELLS:
        assert {f'{cell}-state{i}' for i in range(NODES + 3)} <= set(actual)
        for i, node in enumerate(genotype.architecture[cell]):
            assert f'{cell}-node{i}-output' in actual and f'{cell}-node{i}-output-head' in actual
            for j, (operation, predecessor) in enumerate(node):
                edge = f'{cell}-node{i}-input{j}'
                label, route, state = (bounds(actual[key]) for key in (f'{edge}-label', edge,
                                                                      f'{cell}-state{predecessor}'))
                assert route[0] == pytest.approx(state[2], abs=.01) and route[2] == pytest.approx(label[0], abs=.01)
                assert f'fill: {KINDS[operation][1]}' in actual[f'{edge}-label'].get('style')
    assert len(actual) == 2 * (NODES + 3 + 2 * NODES + 8 * 4)
    assert not any(re.search(r'\d\.\d\d', text) for text in texts(svg))
    height, width = imread(png).shape[:2]
    assert width > 1500 and height > 600


@pytest.mark.parametrize('name', PUBLISHED)
def test_boxes_do_not_overlap(tmp_path, name):
    svg, _ = draw_genotype(weighted(name), tmp_path / 'a')
    boxes = [(key, bounds(path)) for key, path in groups(svg).items() if re.search('label$|state', key)]
    assert len(boxes) == 2 * (8 + NODES + 3)
    for i, (a, (left, top, right, bottom)) in enumerate(boxes):
        for b, other in boxes[i + 1:]:
            assert other[0] > right or other[2] < left or other[1] > bottom or other[3] < top, (a, b)


@pytest.mark.parametrize('importance', [False, True])
@pytest.mark.parametrize('name', PUBLISHED)
def test_texts_do_not_overlap(name, importance):
    genotype = weighted(name) if importance else published_genotype(name)
    check_texts(format_of(genotype.space).draw(genotype, 'imtnas_of_a_long_name.py, iteration 123456'))


@pytest.mark.parametrize('space', SPACES)
def test_weights(tmp_path, space):
    genotype = weighted('darts_v2', space)
    svg, _ = draw_genotype(genotype, tmp_path / 'a')
    actual, written = groups(svg), texts(svg)
    expected, shown = Counter(), [text for text in written if re.match(r'×?\d\.\d\d', text)]
    options = 1 if space == 'prdarts' else 3 if space == 'pdarts' else 8  # probabilities of gates stay as they are
    for cell in CELLS:
        for i, node in enumerate(genotype.architecture[cell]):
            for operation, predecessor in node:
                edge = EDGES.index((i, predecessor))
                text = f'{options * genotype.importance[cell][edge][OPERATIONS.index(operation)]:.2f}'
                text = text if space == 'prdarts' else f'×{text}'
                if space == 'pcdarts':
                    text += f' · edge ×{(i + 2) * genotype.importance[f"{cell}_edges{i}"][predecessor]:.2f}'
                expected[text] += 1
                assert f'{cell}-taken{edge}-{operation}' in actual
        for e, row in enumerate(genotype.importance[cell]):
            for operation, weight in zip(OPERATIONS, row, strict=True):
                assert (f'{cell}-weight{e}-{operation}' in actual) == (weight > 0)
                expected.update([f'{options * weight:.2f}'] if weight else [])
        for i in range(NODES) if space == 'pcdarts' else ():
            expected.update(f'{(i + 2) * weight:.2f}' for weight in genotype.importance[f'{cell}_edges{i}'])
    assert Counter(shown) == expected
    assert sum('-weight' in key for key in actual) == 2 * 14 * (3 if space == 'pdarts' else 8)
    assert sum('-taken' in key for key in actual) == 16
    assert sum('-edge' in key for key in actual) == (28 if space == 'pcdarts' else 0)
    assert ('Activation probabilities' in written) == (space == 'prdarts')
    assert ('Importance weights' in written) == (space != 'prdarts')


def test_operations_that_lead_by_chance_are_dashed(tmp_path):
    """``none`` weighs most, which no cell takes; of the operations all but those into node 0 weigh the same."""
    genotype = published_genotype('darts_v2')
    rows = [[.5, *[.5 / 7] * 7] for _ in EDGES]
    for operation, predecessor in genotype.architecture['normal'][0]:
        rows[predecessor] = [.5 if name == 'none' else .2 if name == operation else .05 for name in OPERATIONS]
    genotype = replace(genotype, importance=dict(normal=rows, reduce=[[.5, *[.5 / 7] * 7] for _ in EDGES]))
    svg, _ = draw_genotype(genotype_from_dict(genotype.to_dict()), tmp_path / 'a')
    dashed = {key for key, path in groups(svg).items() if 'stroke-dasharray' in path.get('style')}
    assert dashed == {f'{cell}-node{i}-input{j}-label' for cell in CELLS for i in range(NODES) for j in range(2)
                      if cell == 'reduce' or i}
    assert {'×1.60', '×0.57'} <= set(texts(svg)) and any('; dashed: leads' in text for text in texts(svg))


def test_colour_grows_with_the_weight(tmp_path):
    genotype = weighted('pr_darts')
    actual = groups(draw_genotype(genotype, tmp_path / 'a')[0])
    row = genotype.importance['normal'][0]
    red = [int(re.search('fill: #(..)', actual[f'normal-weight0-{operation}'].get('style'))[1], 16)
           for operation in OPERATIONS]
    assert [i for _, i in sorted(zip(row, range(8), strict=True))] == sorted(range(8), key=lambda i: -red[i])


def test_parallel_edges_are_both_visible(tmp_path):
    genotype = Genotype('prdarts', dict(normal=PARALLEL, reduce=PARALLEL))
    svg, _ = draw_genotype(genotype_from_dict(genotype.to_dict()), tmp_path / 'a')
    actual = groups(svg)
    for i in (0, 2, 3):
        a, b = (actual[f'normal-node{i}-input{j}'].get('d') for j in range(2))
        start, other = (re.match(r'M ([\d.]+) ([\d.]+)', path).groups() for path in (a, b))
        assert start[0] == other[0] and abs(float(start[1]) - float(other[1])) > 4  # points
        boxes = sorted(bounds(actual[f'normal-node{i}-input{j}-label'])[1::2] for j in range(2))
        assert boxes[0][1] < boxes[1][0]


def test_labels_fit_their_boxes(tmp_path):
    figure = format_of('pcdarts').draw(weighted('pc_darts_image'), '')
    figure.canvas.draw()
    renderer, axes = figure.canvas.get_renderer(), figure.axes[0]
    boxes = [patch.get_window_extent(renderer) for patch in axes.patches if (patch.get_gid() or '').endswith('-label')]
    inside = [text for text in axes.texts for box in boxes if box.contains(*box_middle(text, renderer))]
    assert len(inside) == 32
    for text in inside:
        extent = text.get_window_extent(renderer)
        assert any(box.x0 + 3 < extent.x0 and extent.x1 < box.x1 - 3 and box.y0 < extent.y0 and extent.y1 < box.y1
                   for box in boxes), text


def box_middle(text, renderer):
    extent = text.get_window_extent(renderer)
    return (extent.x0 + extent.x1) / 2, (extent.y0 + extent.y1) / 2


@pytest.mark.parametrize('name', ['darts_v1', 'pc_darts_cifar'])
def test_same_architecture_gives_the_same_files(tmp_path, name):
    first = [path.read_bytes() for path in draw_genotype(weighted(name), tmp_path / 'a')]
    assert [path.read_bytes() for path in draw_genotype(weighted(name), tmp_path / 'b')] == first


def test_phases(tmp_path):
    genotype = weighted('pdarts')
    svg, png = write_picture(
        tmp_path / 'new' / 'phases', lambda: phases_figure(phases_of(genotype), 'a title', genotype))
    assert (svg.name, png.name) == ('phases.svg', 'phases.png') and png.read_bytes().startswith(b'\x89PNG')
    actual, written = groups(svg), texts(svg)
    for cell in CELLS:
        for i, number in enumerate((8, 5, 3)):
            assert sum(key.startswith(f'{cell}{i}-weight') for key in actual) == 14 * number
            assert sum(key.startswith(f'{cell}{i}-taken') for key in actual) == 8
    heads = [f'phase {i}: {n} candidates per edge' for i, n in ((1, 8), (2, 5), (3, 3))]
    assert [text for text in written if text.startswith('phase')] == heads * 2
    assert {'P-DARTS', 'a title', 'Final normal cell', 'Final reduction cell'} <= set(written)
    assert Counter(text for text in written if re.match(r'\d\.\d\d', text)) == {'1.00': 2 * 14 * (8 + 5 + 3)}  # uniform
    again, _ = write_picture(tmp_path / 'again', lambda: phases_figure(phases_of(genotype), 'a title', genotype))
    assert again.read_bytes() == svg.read_bytes()


def test_phases_without_the_outcome(tmp_path):
    svg, _ = write_picture(tmp_path / 'phases', lambda: phases_figure(phases_of(weighted('pdarts')), None, None))
    assert not any('state' in key or 'taken' in key for key in groups(svg))
    assert not any('Final' in text or 'framed' in text for text in texts(svg))


@pytest.mark.parametrize('outcome', [False, True])
def test_texts_of_phases_do_not_overlap(outcome):
    genotype = weighted('pdarts')
    check_texts(phases_figure(phases_of(genotype), 'a title', genotype if outcome else None))
