"""The picture of what tasks share agrees with the architecture file."""
import random
import re
from dataclasses import replace
from itertools import product
from xml.etree import ElementTree

import pytest

from helpers.pictures import SVG, bounds, check_texts, texts
from imtnas_mm.analysis.draw import draw_genotype
from imtnas_mm.analysis.draw_sharing import groups_of, neighbours, sharing_figure
from imtnas_mm.genotype import published_genotype
from imtnas_mm.spaces.mbconv.layout import mbconv_blocks

BLOCKS = dict(fairnas_a=list(mbconv_blocks('fairnas19')),
              darts_v2=['stem', *(f'cell{i + 1}' for i in range(8))])
STAGES = dict(fairnas_a=6, darts_v2=3)
TASKS = ['c10', 'a task of a long name', 'imagenet', 'det']


def branched(name, number, seed=0):
    rng = random.Random(seed)
    rows = {block: [rng.randrange(number) for _ in range(number)] for block in BLOCKS[name]}
    return replace(published_genotype(name), sharing=dict(method='branching', tasks=TASKS[:number], blocks=rows))


def fused(name, number, share, seed=0):
    rng = random.Random(seed)
    edges = [[target, s, source, r] for target, source in product(TASKS[:number], repeat=2) if target != source
             for s in range(STAGES[name]) for r in range(s + 1) if rng.random() < share]
    return replace(published_genotype(name), sharing=dict(method='fusion', tasks=TASKS[:number], edges=edges))


def shapes(svg):
    """id -> bounds of its path."""
    return {node.get('id'): bounds(node.find(f'.//{SVG}path')) for node in ElementTree.parse(svg).iter(f'{SVG}g')
            if re.match('stem-|cell|layer|task|edge', node.get('id', ''))}


def check_boxes(boxes):
    for i, (a, (left, top, right, bottom)) in enumerate(boxes):
        for b, other in boxes[i + 1:]:
            assert left >= other[2] or other[0] >= right or top >= other[3] or other[1] >= bottom, (a, b)


@pytest.mark.parametrize('number', [1, 2, 3, 4])
@pytest.mark.parametrize('name', BLOCKS)
def test_a_box_spans_the_tasks_that_share_a_block(tmp_path, name, number):
    genotype = branched(name, number)
    svg, png = draw_genotype(genotype, tmp_path / 'architecture')[2:]
    assert (svg.name, png.name) == ('architecture_sharing.svg', 'architecture_sharing.png')
    actual, tops = shapes(svg), []
    columns = sorted({box[0] for key, box in actual.items() if '-box' in key})
    assert len(columns) <= number
    for block, copies in genotype.sharing['blocks'].items():
        expected = {}
        for k, group in enumerate(groups_of(copies)):
            runs = neighbours(group)
            expected.update({f'{block}-group{k}-box{i}': len(run) for i, run in enumerate(runs)})
            assert (f'{block}-group{k}-band' in actual) == (len(runs) > 1)
        own = {key: box for key, box in actual.items() if key.startswith(f'{block}-group') and '-box' in key}
        assert own.keys() == expected.keys()
        narrow = 1.35 * 72
        for key, (left, _, right, _) in own.items():
            assert right - left == pytest.approx(expected[key] * narrow + (expected[key] - 1) * .35 * 72, abs=.1)
        tops.append(min(box[1] for box in own.values()))
        check_boxes(list(own.items()))
    assert tops == sorted(tops) and set(BLOCKS[name]) <= set(texts(svg))
    all_share = sum(len(set(copies)) == 1 for copies in genotype.sharing['blocks'].values())
    assert any(text.startswith(f'{all_share} of {len(tops)} blocks shared by all tasks') for text in texts(svg))


@pytest.mark.parametrize('number, share', [(2, 0), (2, .4), (2, 1), (3, .3), (3, 1), (4, .2)])
@pytest.mark.parametrize('name', STAGES)
def test_an_arrow_leads_from_stage_to_stage_and_through_none(tmp_path, name, number, share):
    genotype = fused(name, number, share)
    edges = genotype.sharing['edges']
    svg = draw_genotype(genotype, tmp_path / 'architecture')[2]
    actual = shapes(svg)
    boxes = {key: box for key, box in actual.items() if key.startswith('task')}
    assert len(boxes) == number * STAGES[name]
    check_boxes(list(boxes.items()))
    heads = []
    for target, s, source, r in edges:
        a, b = TASKS.index(source), TASKS.index(target)
        route, head = (actual[f'edge-{a}.{r}-{b}.{s}{end}'] for end in ('', '-head'))
        ends = [boxes[f'task{a}-stage{r}'], boxes[f'task{b}-stage{s}']]
        start, end = (ends[0][2], ends[1][0]) if a < b else (ends[0][0], ends[1][2])
        assert (route[0] if a < b else route[2]) == pytest.approx(start, abs=.01)
        tip = head[2] if a < b else head[0]
        assert tip == pytest.approx(end, abs=.01) and ends[1][1] < head[1] < head[3] < ends[1][3]
        heads.append(head)
    assert sum(key.startswith('edge') for key in actual) == 2 * len(edges)
    check_boxes(list(enumerate(heads)))
    assert f'{len(edges)} of {number * (number - 1) * STAGES[name] * (STAGES[name] + 1) // 2} edges on' in texts(svg)


def test_lines_between_distant_tasks_pass_below_the_boxes(tmp_path):
    genotype = replace(published_genotype('fairnas_a'), sharing=dict(
        method='fusion', tasks=['a', 'b', 'c'], edges=[['c', 2, 'a', 1], ['a', 1, 'c', 1]]))
    svg = draw_genotype(genotype, tmp_path / 'architecture')[2]
    path, = (node.find(f'.//{SVG}path').get('d') for node in ElementTree.parse(svg).iter(f'{SVG}g')
             if node.get('id') == 'edge-0.1-2.2')
    points = [tuple(map(float, pair)) for pair in re.findall(r'(-?[\d.]+) (-?[\d.]+)', path)]
    actual = shapes(svg)
    level = re.search(r'L (-?[\d.]+) (-?[\d.]+)', path)
    passing = float(level.group(2))
    assert actual['task1-stage1'][3] < passing < actual['task1-stage2'][1]
    assert float(level.group(1)) > actual['task1-stage1'][2] and points[0][0] < actual['task1-stage1'][0]


@pytest.mark.parametrize('genotype', [
    branched('fairnas_a', 2), branched('fairnas_a', 4), branched('darts_v2', 3), fused('fairnas_a', 3, 1),
    fused('darts_v2', 2, 0), fused('darts_v2', 4, .5)], ids=lambda genotype: genotype.sharing['method'])
def test_texts_do_not_overlap(genotype):
    check_texts(sharing_figure(genotype, 'FairNAS-19', 'bmtas_cifar_darts_small.py, iteration 100'))


def test_groups():
    assert groups_of([2, 0, 2, 1]) == ((0, 2), (1, ), (3, ))
    assert neighbours((0, 1, 3)) == [[0, 1], [3]]


def test_an_architecture_of_one_network_has_no_such_picture(tmp_path):
    assert len(draw_genotype(published_genotype('darts_v2'), tmp_path / 'a')) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a.png', 'a.svg']
