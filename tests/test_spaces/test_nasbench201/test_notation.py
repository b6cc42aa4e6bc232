"""Architectures of NAS-Bench-201 as text and as files; what is wrong in one is named."""
import copy
import itertools
import json
import re

import pytest

from imtnas_mm.genotype import GenotypeError, genotype_from_dict, load_genotype, resolve_genotype, save_genotype
from imtnas_mm.space_format import format_of
from imtnas_mm.spaces.nasbench201.layout import OPERATIONS

TEXT = '|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|avg_pool_3x3~1|none~2|'
CELL = [[['nor_conv_3x3', 0]], [['nor_conv_1x1', 0], ['none', 1]],
        [['skip_connect', 0], ['avg_pool_3x3', 1], ['none', 2]]]


def test_all_cells_are_read_and_written():
    space = format_of('nasbench201')
    texts = set()
    for choice in itertools.product(OPERATIONS, repeat=6):
        text = '|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|'.format(*choice)
        assert space.to_string(space.from_string(text)) == text
        texts.add(text)
    assert len(texts) == 15_625


def test_text_goes_wherever_a_name_goes(tmp_path):
    genotype = resolve_genotype(TEXT)
    assert genotype.architecture == dict(cell=CELL) and genotype.summary() == TEXT
    save_genotype(genotype, tmp_path / 'architecture.json')
    assert load_genotype(tmp_path / 'architecture.json') == genotype


def test_known_cells():
    texts = {name: resolve_genotype(name).summary() for name in format_of('nasbench201').published}
    assert texts['nasbench201_skip'] == '|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|' \
        'skip_connect~1|skip_connect~2|'
    assert texts['nasbench201_best_cifar100'].count('nor_conv_3x3') == 5 and len(set(texts.values())) == 5


@pytest.mark.parametrize('text, wrong', [
    ('|nor_conv_3x3~0|', '1 groups'),
    (TEXT + '+|none~0|', '4 groups'),
    (TEXT.replace('+', ' + '), "'|nor_conv_3x3~0| '"),
    (TEXT[:-1], "'|skip_connect~0|avg_pool_3x3~1|none~2'"),
    (TEXT.replace('|none~1', ''), 'has 1 edges'),
    (TEXT.replace('nor_conv_1x1', 'nor_conv_5x5'), "'nor_conv_5x5'"),
    (TEXT.replace('none~1', 'none~0'), "'none~0' must end with ~1"),
    (TEXT.replace('none~1', 'none'), "'none' must end with ~1"),
    ('|', '1 groups'),
])
def test_wrong_text(text, wrong):
    with pytest.raises(GenotypeError, match=re.escape(wrong)) as error:
        resolve_genotype(text)
    assert text in str(error.value)


def test_other_text_is_no_architecture_of_it():
    assert format_of('nasbench201').from_string('nor_conv_3x3~0|') is None


@pytest.mark.parametrize('path, value, field', [
    (('cell', ), None, 'architecture.cell'), (('cell', ), CELL[:2], 'architecture.cell'),
    (('other', ), 1, 'architecture.other'),
    (('cell', 1), CELL[0], 'architecture.cell[1]'), (('cell', 1, 0), 'none', 'architecture.cell[1][0]'),
    (('cell', 1, 0), ['none', 0, 0], 'architecture.cell[1][0]'),
    (('cell', 2, 1, 0), 'max_pool_3x3', 'architecture.cell[2][1][0]'),
    (('cell', 2, 1, 0), ['none'], 'architecture.cell[2][1][0]'),
    *((('cell', 2, 1, 1), value, 'architecture.cell[2][1][1]') for value in (0, True, 1., '1', None)),
])
def test_wrong_files(tmp_path, path, value, field):
    architecture = dict(cell=copy.deepcopy(CELL))
    place = architecture
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    file = tmp_path / 'a.json'
    file.write_text(json.dumps(dict(format='imtnas_mm.architecture', version=1, space='nasbench201',
                                    architecture=architecture)))
    with pytest.raises(GenotypeError, match=re.escape(f'{file}: {field}: ')):
        load_genotype(file)


def test_wrong_importance():
    good = dict(resolve_genotype(TEXT).to_dict(), importance=dict(cell=[[.2] * 5] * 6))
    assert genotype_from_dict(good).importance == good['importance']
    for rows, field in (([[.2] * 5] * 5, 'cell'), ([[.2] * 5] * 5 + [[.3] * 5], 'cell[5]')):
        with pytest.raises(GenotypeError, match=re.escape(f'importance.{field}: ')):
            genotype_from_dict(dict(good, importance=dict(cell=rows)))
