import errno
import json
import math
from dataclasses import replace

import pytest
from mmengine.config import Config

from imtnas_mm.genotype import (
    Genotype,
    GenotypeError,
    genotype_from_dict,
    load_genotype,
    published_genotype,
    published_names,
    resolve_genotype,
    save_genotype,
)
from imtnas_mm.spaces.mbconv.layout import searched_layers

# REFERENCE of the spaces: 1-based layers of fairnas19 that may be the identity
IDENTITY_LAYERS = (2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18)
CONVOLUTIONS = ['mbconv_3x3_e3', 'mbconv_3x3_e6', 'mbconv_5x5_e3', 'mbconv_5x5_e6', 'mbconv_7x7_e3', 'mbconv_7x7_e6']


def uniform_importance():
    return {
        f'layer{i:02d}': [1 / 7] * 7 if i in IDENTITY_LAYERS else [1 / 6] * 6
        for i in range(1, 20)
    }


def content(**changes):
    data = dict(
        format='imtnas_mm.architecture',
        version=1,
        space='fairnas19',
        architecture=dict(layers=['mbconv_3x3_e3'] * 19),
        importance=uniform_importance(),
        source=dict(config='search.py', iteration=12, entropy=1.5))
    data.update(changes)
    return {key: value for key, value in data.items() if value is not ...}


def layers(**changes):
    choices = ['mbconv_3x3_e3'] * 19
    for i, choice in changes.items():
        choices[int(i[1:]) - 1] = choice
    return dict(layers=choices)


def importance(name, row):
    return {**uniform_importance(), name: row}


def write(path, data):
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def test_valid_file_is_read(tmp_path):
    genotype = load_genotype(write(tmp_path / 'a.json', content()))
    assert genotype.space == 'fairnas19'
    assert genotype.architecture == dict(layers=['mbconv_3x3_e3'] * 19)
    assert genotype.importance['layer02'] == [1 / 7] * 7
    assert genotype.source == dict(config='search.py', iteration=12, entropy=1.5)


def test_importance_and_source_are_optional(tmp_path):
    genotype = load_genotype(write(tmp_path / 'a.json', content(importance=..., source=...)))
    assert genotype.importance is None and genotype.source is None


def test_identity_is_legal_where_a_shortcut_is():
    for i in range(1, 20):
        data = content(architecture=layers(**{f'l{i}': 'identity'}))
        if i in IDENTITY_LAYERS:
            assert genotype_from_dict(data).architecture['layers'][i - 1] == 'identity'
        else:
            with pytest.raises(GenotypeError, match=rf"layers\[{i - 1}\]: 'identity'; layer{i:02d} of fairnas19"):
                genotype_from_dict(data)


@pytest.mark.parametrize('data, expected', [
    ('{"format": ', ['line 1 column', 'is JSON']),
    ('[1, 2]', ['[1, 2]', 'must be an object', 'imtnas_mm.architecture']),
    (content(format=...), ['format: None', '"format": "imtnas_mm.architecture"']),
    (content(format='darts'), ["format: 'darts'", '"format": "imtnas_mm.architecture"']),
    (content(version=...), ['version: None', 'from 1 to 1']),
    (content(version='1'), ["version: '1'", 'from 1 to 1']),
    (content(version=True), ['version: True', 'from 1 to 1']),
    (content(version=0), ['version: 0', 'from 1 to 1']),
    (content(version=2), ['version: 2', 'made by a newer imtnas_mm; this version reads up to 1']),
    (content(space=...), ['space: None', 'missing']),
    (content(space='nasnet'), ["space: 'nasnet'", 'fairnas19', 'proxyless21']),
    (content(space=['fairnas19']), ["space: ['fairnas19']", 'known spaces']),
    (content(space='proxyless21', importance=...), ['architecture.layers', '21 choices', 'not 19']),
    (content(architecture=...), ['architecture: None', 'missing']),
    (content(architecture=[]), ['architecture: []', 'layers']),
    (content(architecture={}), ['architecture.layers: None', 'missing']),
    (content(architecture=dict(layers='abc')), ["architecture.layers: 'abc'", '19 choices', 'not str']),
    (content(architecture=dict(layers=['mbconv_3x3_e3'] * 18)), ['architecture.layers', '19 choices', 'not 18']),
    (content(architecture=dict(**layers(), cells=3)), ['architecture.cells: 3', 'unknown field', 'layers']),
    (content(architecture=layers(l3='mbconv_9x9_e3')),
     ["architecture.layers[2]: 'mbconv_9x9_e3'", 'layer03', *CONVOLUTIONS]),
    (content(architecture=layers(l4=7)), ['architecture.layers[3]: 7', 'layer04', 'identity']),
    (content(comment='mine'), ["comment: 'mine'", 'unknown field', 'importance, source']),
    (content(importance=[1]), ['importance: [1]', 'must be an object']),
    (content(importance={'layer01': [1 / 6] * 6}), ['importance.layer02: None', 'missing']),
    (content(importance={**uniform_importance(), 'layer20': [1.]}), ['importance.layer20: [1.0]', 'unknown field']),
    (content(importance=importance('layer02', [1 / 6] * 6)), ['importance.layer02', 'a list of 7']),
    (content(importance=importance('layer01', 1.)), ['importance.layer01: 1.0', 'a list of 6']),
    (content(importance=importance('layer01', [math.nan] + [.2] * 5)), ['importance.layer01[0]: nan', 'finite']),
    (content(importance=importance('layer01', [math.inf] + [.2] * 5)), ['importance.layer01[0]: inf', 'finite']),
    (content(importance=importance('layer01', [-.2, .4] + [.2] * 4)), ['importance.layer01[0]: -0.2', 'from 0 to 1']),
    (content(importance=importance('layer01', ['.5'] + [.1] * 5)), ["importance.layer01[0]: '.5'", 'finite']),
    (content(importance=importance('layer01', [.2] * 6)), ['importance.layer01', 'sum to 1, not 1.2']),
    (content(source='a run'), ["source: 'a run'", 'object of strings and numbers']),
    (content(source=dict(lr=[1])), ['source.lr: [1]', 'strings and finite numbers']),
    (content(source=dict(lr=math.nan)), ['source.lr: nan', 'strings and finite numbers']),
])
def test_errors_name_file_field_value_and_what_is_right(tmp_path, data, expected):
    path = write(tmp_path / 'bad.json', data)
    with pytest.raises(GenotypeError) as error:
        load_genotype(path)
    assert str(error.value).startswith(f'{path}: ')
    for part in expected:
        assert part in str(error.value)


def test_file_that_is_missing_or_not_text(tmp_path):
    with pytest.raises(GenotypeError, match='none.json: cannot be read'):
        load_genotype(tmp_path / 'none.json')
    (tmp_path / 'binary.json').write_bytes(b'\xff\xfe\x00\x81')
    with pytest.raises(GenotypeError, match='binary.json: cannot be read as text'):
        load_genotype(tmp_path / 'binary.json')


@pytest.mark.parametrize('space', ['fairnas19', 'proxyless21'])
def test_round_trip(tmp_path, space):
    searched = searched_layers(space)
    genotype = Genotype(
        space,
        dict(layers=[layer.choices[i % len(layer.choices)] for i, layer in enumerate(searched)]),
        importance={layer.name: [1 / len(layer.choices)] * len(layer.choices) for layer in searched},
        source=dict(config='a "quoted" [name].py', iteration=3))
    path = tmp_path / 'new' / 'architecture.json'
    save_genotype(genotype, path)
    assert load_genotype(path) == genotype
    save_genotype(replace(genotype, importance=None), path)
    assert load_genotype(path).importance is None
    assert [file.name for file in path.parent.iterdir()] == ['architecture.json']


def test_invalid_genotype_leaves_the_old_file(tmp_path):
    path = tmp_path / 'architecture.json'
    save_genotype(published_genotype('fairnas_a'), path)
    with pytest.raises(GenotypeError, match=rf'{path}: architecture.layers'):
        save_genotype(Genotype('fairnas19', dict(layers=[])), path)
    assert load_genotype(path) == published_genotype('fairnas_a')


def test_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / 'architecture.json'
    save_genotype(published_genotype('fairnas_a'), path)

    def full_disk(*_):
        raise OSError(errno.ENOSPC, 'no space left')

    monkeypatch.setattr('os.replace', full_disk)
    with pytest.raises(OSError, match='no space left'):
        save_genotype(published_genotype('fairnas_b'), path)
    assert load_genotype(path) == published_genotype('fairnas_a')
    assert [file.name for file in tmp_path.iterdir()] == ['architecture.json']


def test_published_names():
    names = [
        'fairnas_a', 'fairnas_b', 'fairnas_c', 'fairnas_smallest', 'fairnas_largest', 'darts_v1', 'darts_v2', 'pdarts',
        'pc_darts_cifar', 'pc_darts_image', 'pr_darts']
    assert set(names) <= set(published_names())  # other tests register spaces of their own
    assert len(set(published_names())) == len(published_names())
    v2 = published_genotype('darts_v2').architecture
    assert v2['normal'][3] == [['skip_connect', 0], ['dil_conv_3x3', 2]]
    assert v2['reduce'][0] == [['max_pool_3x3', 0], ['max_pool_3x3', 1]]
    a = published_genotype('fairnas_a').architecture['layers']
    assert a[:4] == ['mbconv_7x7_e3', 'mbconv_3x3_e3', 'mbconv_7x7_e3', 'mbconv_3x3_e6'] and a[18] == 'mbconv_5x5_e6'
    assert set(published_genotype('fairnas_smallest').architecture['layers']) == {'mbconv_3x3_e3'}
    assert set(published_genotype('fairnas_largest').architecture['layers']) == {'mbconv_7x7_e6'}
    for name in published_names():
        assert genotype_from_dict(published_genotype(name).to_dict()) == published_genotype(name)
    with pytest.raises(GenotypeError, match="'fairnas_d'.*fairnas_a, fairnas_b"):
        published_genotype('fairnas_d')


def cells(space='darts', importance=..., **changes):
    """A cell architecture's file; ``normal=(node, value)`` replaces a node."""
    data = published_genotype('darts_v1').to_dict()
    for cell, (node, value) in changes.items():
        data['architecture'][cell][node] = value
    return content(space=space, architecture=data['architecture'], importance=importance)


def cell_importance(**changes):
    return {**{cell: [[1 / 8] * 8] * 14 for cell in ('normal', 'reduce')}, **changes}


EDGE_WEIGHTS = {f'{cell}_edges{i}': [1 / (i + 2)] * (i + 2) for cell in ('normal', 'reduce') for i in range(4)}
SKIP_0 = ['skip_connect', 0]


@pytest.mark.parametrize('data', [
    cells(importance=cell_importance()),
    cells('pcdarts', importance=cell_importance(**EDGE_WEIGHTS)),
    cells('prdarts', importance={cell: [[.9] * 8] * 14 for cell in ('normal', 'reduce')}),
    cells('prdarts', normal=(0, [SKIP_0, ['sep_conv_3x3', 0]])),
])
def test_cells_are_read(tmp_path, data):
    genotype = load_genotype(write(tmp_path / 'a.json', data))
    save_genotype(genotype, tmp_path / 'b.json')
    assert load_genotype(tmp_path / 'b.json') == genotype
    assert genotype.to_dict() == data


@pytest.mark.parametrize('data, expected', [
    (cells(normal=(0, [SKIP_0])), ["architecture.normal[0]: [['skip_connect', 0]]", 'two [operation, predecessor]']),
    (cells(reduce=(1, [SKIP_0, 'skip'])), ["architecture.reduce[1][1]: 'skip'", '[operation, predecessor]']),
    (cells(normal=(1, [SKIP_0, ['none', 1]])), ["architecture.normal[1][1][0]: 'none'", 'max_pool_3x3']),
    (cells(normal=(1, [SKIP_0, [[], 1]])), ['architecture.normal[1][1][0]: []', 'known operations']),
    (cells(normal=(1, [SKIP_0, ['sep_conv_3x3', 3]])), ['architecture.normal[1][1][1]: 3', 'node 1', '0 to 2']),
    (cells(normal=(1, [SKIP_0, ['sep_conv_3x3', True]])), ['architecture.normal[1][1][1]: True', '0 to 2']),
    (cells(normal=(0, [SKIP_0, ['sep_conv_3x3', 0]])), ['architecture.normal[0]', 'of darts come from two']),
    (cells('prdarts', normal=(0, [SKIP_0, SKIP_0])), ['architecture.normal[0]', 'must differ']),
    (content(space='darts', importance=...), ['architecture.layers', 'unknown field; known are normal, reduce']),
    (content(space='darts', architecture=dict(normal=[], reduce=[])), ['architecture.normal: []', 'list of 4 nodes']),
    (cells(importance=cell_importance(normal=[[1 / 8] * 8] * 13)), ['importance.normal', 'a list of 14']),
    (cells(importance=cell_importance(reduce=[[.9] * 8] * 14)), ['importance.reduce[0]', 'sum to 1, not 7.2']),
    (cells('pcdarts', importance=cell_importance()), ['importance.normal_edges0: None', 'missing']),
    (cells('prdarts', importance={cell: [[1.9] * 8] * 14 for cell in ('normal', 'reduce')}),
     ['importance.normal[0][0]: 1.9', 'from 0 to 1']),
])
def test_errors_of_cells(data, expected):
    with pytest.raises(GenotypeError) as error:
        genotype_from_dict(data, 'a.json')
    for part in ('a.json: ', *expected):
        assert part in str(error.value)


def test_summary():
    assert published_genotype('pdarts').summary().startswith('normal skip-0 dil3-1 | skip-0 sep3-1 | sep3-1 sep3-3')
    summary = published_genotype('fairnas_a').summary()
    assert summary.startswith('7x7e3 3x3e3 7x7e3 3x3e6 7x7e6') and len(summary.split()) == 19
    assert genotype_from_dict(content(architecture=layers(l2='identity'))).summary().startswith('3x3e3 identity 3x3e3')


def test_resolve(tmp_path):
    b = published_genotype('fairnas_b')
    save_genotype(b, tmp_path / 'b.json')
    assert resolve_genotype('fairnas_b') == resolve_genotype(b) == resolve_genotype(b.to_dict()) == b
    assert resolve_genotype(str(tmp_path / 'b.json')) == resolve_genotype(tmp_path / 'b.json') == b
    assert resolve_genotype(Config(dict(architecture=b.to_dict())).architecture) == b


@pytest.mark.parametrize('spec', ['fairnas_d', 'no/such.json', None, 3])
def test_resolve_says_what_it_takes(spec):
    with pytest.raises(GenotypeError, match=r'the path of an existing .* fairnas_a, fairnas_b, fairnas_c'):
        resolve_genotype(spec)


def test_resolve_checks_what_it_is_given():
    with pytest.raises(GenotypeError, match=r"layers\[0\]: 'identity'; layer01"):
        resolve_genotype(content(architecture=layers(l1='identity')))
    with pytest.raises(GenotypeError, match='19 choices'):
        resolve_genotype(Genotype('fairnas19', dict(layers=['mbconv_3x3_e3'])))
