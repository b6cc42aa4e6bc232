"""What the picture of a NAS-Bench-201 cell shows."""
import re
from collections import Counter
from dataclasses import replace
from xml.etree import ElementTree

import pytest
import torch

from helpers.pictures import SVG, bounds, check_texts, texts
from imtnas_mm.analysis.draw import draw_genotype
from imtnas_mm.genotype import resolve_genotype
from imtnas_mm.picture import operation_label
from imtnas_mm.space_format import format_of
from imtnas_mm.spaces.nasbench201.layout import EDGES, OPERATIONS

TEXT = '|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|'


def weighted():
    genotype = resolve_genotype(TEXT)
    alphas = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    operations = [operation for state in genotype.architecture['cell'] for operation, _ in state]
    for i, operation in enumerate(operations):
        alphas[i, OPERATIONS.index(operation)] += 5
    return replace(genotype, importance=dict(cell=alphas.softmax(-1).tolist()))


def test_every_edge_and_weight(tmp_path):
    genotype = weighted()
    svg, png = draw_genotype(genotype, tmp_path / 'cell')
    assert png.read_bytes().startswith(b'\x89PNG') and draw_genotype(genotype, tmp_path / 'b')[0].read_bytes() == \
        svg.read_bytes()
    found = {node.get('id'): node.find(f'.//{SVG}path') for node in ElementTree.parse(svg).iter(f'{SVG}g')
             if re.match('state|edge|weight|taken', node.get('id', ''))}
    written = Counter(texts(svg))
    for edge, row in zip(EDGES, genotype.importance['cell'], strict=True):
        name, place = f'edge{edge.source}-{edge.target}', EDGES.index(edge)
        route, label, state = (bounds(found[key]) for key in (name, f'{name}-label', f'state{edge.source}'))
        assert route[0] == pytest.approx(state[2], abs=.01) and route[2] == pytest.approx(label[0], abs=.01)
        taken = OPERATIONS[max(range(5), key=row.__getitem__)]
        assert f'taken{place}-{taken}' in found and f'{edge.target}←{edge.source}' in written
        assert all(f'weight{place}-{operation}' in found for operation in OPERATIONS)
    # a row of the heat map and, twice, an edge
    assert written[operation_label('nor_conv_3x3')] == 3 and TEXT in written and 'NAS-Bench-201' in written
    for row, edge in zip(genotype.importance['cell'], EDGES, strict=True):
        assert written[f'×{5 * max(row):.2f}'], edge
    assert not any('dashed' in text for text in written)
    boxes = [bounds(path) for key, path in found.items() if re.search('^state|label$', key)]
    assert len(boxes) == 10
    for i, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[i + 1:]:
            assert other[0] > right or other[2] < left or other[1] > bottom or other[3] < top


UNSURE = replace(weighted(), importance=dict(cell=[[.2] * 5] * 6))


def test_an_untrained_cell_is_dashed(tmp_path):
    svg, _ = draw_genotype(UNSURE, tmp_path / 'a')
    assert svg.read_text().count('stroke-dasharray') == 6 and texts(svg).count('×1.00') == 6
    assert 'dashed: leads the next option by less than 1%' in texts(svg)


@pytest.mark.parametrize('genotype', [weighted(), UNSURE, resolve_genotype('nasbench201_skip')],
                         ids=['weights', 'unsure', 'none'])
def test_texts_do_not_overlap(genotype):
    check_texts(format_of('nasbench201').draw(genotype, 'a_config_of_a_long_name.py, iteration 123456'))
