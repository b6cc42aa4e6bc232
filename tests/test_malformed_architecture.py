"""More than a hundred malformed architecture files: each is refused with an error that names the file and the field."""
import copy
import json
import re

import pytest

from helpers import tiny_run as tiny
from imtnas_mm.genotype import GenotypeError, load_genotype, published_genotype, resolve_genotype
from imtnas_mm.registry import MODELS
from imtnas_mm.spaces.mbconv.layout import mbconv_blocks, searched_layers

LAYERS = searched_layers('fairnas19')
LAYERED = dict(
    published_genotype('fairnas_a').to_dict(),
    importance={layer.name: [1 / len(layer.choices)] * len(layer.choices) for layer in LAYERS},
    source=dict(config='a.py', iteration=3),
    sharing=dict(method='branching', tasks=['cls', 'det'],
                 blocks={block: [0, 1] for block in mbconv_blocks('fairnas19')}))
CELLS = dict(
    published_genotype('pc_darts_cifar').to_dict(),
    importance={
        **{cell: [[1 / 8] * 8] * 14 for cell in ('normal', 'reduce')},
        **{f'{cell}_edges{i}': [1 / (i + 2)] * (i + 2) for cell in ('normal', 'reduce') for i in range(4)}
    },
    sharing=dict(method='branching', tasks=['cls', 'det'],
                 blocks={block: [0, 0] for block in ('stem', 'cell1', 'cell2', 'cell3')}))
FUSED_LAYERS = dict(LAYERED, sharing=dict(
    method='fusion', tasks=['cls', 'det'], edges=[['cls', 5, 'det', 5], ['cls', 5, 'det', 0], ['det', 0, 'cls', 0]]))
FUSED_CELLS = dict(CELLS, sharing=dict(method='fusion', tasks=['cls', 'det'], edges=[['cls', 2, 'det', 1]]))
GOOD = dict(layers=LAYERED, cells=CELLS)
FUSED = dict(fused_layers=FUSED_LAYERS, fused_cells=FUSED_CELLS)
EVERY = {**GOOD, **FUSED}
NAN, INFINITE, HUGE = float('nan'), float('inf'), 10**400
GONE = object()  # in place of a value: the field isn't there
NO_OBJECTS = [None, True, 3, 'x', [], [1]]
NO_LISTS = [None, True, 3, 'x', {}]
NO_TEXTS = [None, True, 3, [], {}]
NO_NUMBERS = [None, True, '1', [], {}, NAN, INFINITE, -INFINITE, HUGE]

# (which file, the path of a field, what stands there, the field that the error names)
CASES = [(kind, path, value, field or '.'.join(map(str, path)).replace('.0', '[0]')) for kind, path, values, field in [
    *((kind, ('format', ), [GONE, *NO_TEXTS, '', 'imtnas_mm', 'IMTNAS_MM.ARCHITECTURE'], None) for kind in GOOD),
    *((kind, ('version', ), [GONE, *NO_NUMBERS, 0, -1, 1.5, 1., 2, 10**30], None) for kind in GOOD),
    *((kind, ('space', ), [GONE, *NO_TEXTS, '', 'nasnet', 'fairnas19 ', 'Darts'], None) for kind in GOOD),
    ('layers', ('space', ), ['proxyless21'], 'architecture.layers'),
    ('layers', ('space', ), ['darts'], 'architecture.layers'),
    ('cells', ('space', ), ['fairnas19'], 'architecture.normal'),
    ('cells', ('space', ), ['darts', 'pdarts', 'prdarts'], 'importance.normal_edges0'),
    *((kind, ('architecture', ), [GONE, *NO_OBJECTS, {}], None) for kind in GOOD),
    *((kind, (name, ), NO_OBJECTS, None) for kind in GOOD for name in ('importance', 'sharing')),
    ('layers', ('source', ), NO_OBJECTS, None),
    ('layers', ('extra', ), [None, 1, {}], None),
    ('layers', ('', ), [1], "'': 1; unknown field"),
    # the architectures
    ('layers', ('architecture', 'layers'), [GONE, *NO_LISTS, [], ['identity']], None),
    ('layers', ('architecture', 'layers', 0), [*NO_TEXTS, '', 'identity', 'mbconv_3x3_e4', 'MBCONV_3x3_e3'], None),
    ('layers', ('architecture', 'cells'), [3], None),
    ('cells', ('architecture', 'normal'), [GONE, *NO_LISTS, [], [1, 2, 3, 4]], 'architecture.normal'),
    ('cells', ('architecture', 'reduce', 0), [*NO_LISTS, [], [1], [1, 2, 3]], None),
    ('cells', ('architecture', 'normal', 0, 0), [*NO_LISTS, [], ['skip_connect'], ['skip_connect', 0, 0]], None),
    ('cells', ('architecture', 'normal', 0, 0), [['none', 0], ['conv', 0], [None, 0], [[], 0]],
     'architecture.normal[0][0][0]'),
    ('cells', ('architecture', 'normal', 0, 0), [['skip_connect', value] for value in (*NO_NUMBERS, -1, 2, .5, 0.)],
     'architecture.normal[0][0][1]'),
    ('cells', ('architecture', 'normal', 0, 1), [CELLS['architecture']['normal'][0][0]], 'architecture.normal[0]'),
    ('cells', ('architecture', 'normal', 0), [[['skip_connect', 0], ['sep_conv_3x3', 0]]], None),
    # where it comes from
    ('layers', ('source', 'iteration'), [value for value in NO_NUMBERS if value != '1'], None),
    # the weights of what was searched
    ('layers', ('importance', 'layer01'), [GONE, *NO_LISTS, [], [1], [1 / 7] * 7, [.2] * 6, [0] * 6], None),
    ('layers', ('importance', 'layer01', 0), [*NO_NUMBERS, -.1, 1.1], None),
    ('layers', ('importance', 'layer20'), [[1]], None),
    ('cells', ('importance', 'reduce'), [GONE, *NO_LISTS, [], [[1 / 8] * 8] * 13, [[1 / 7] * 7] * 14],
     'importance.reduce'),
    ('cells', ('importance', 'normal', 0), [*NO_LISTS, [], [.2] * 8], None),
    ('cells', ('importance', 'normal', 0, 0), [*NO_NUMBERS, -.1, 1.1], None),
    ('cells', ('importance', 'normal_edges0'), [GONE, *NO_LISTS, [], [1], [.6, .6]], None),
    # what the tasks share
    *((kind, ('sharing', 'method'), [GONE, *NO_TEXTS, '', 'Branching'], None) for kind in GOOD),
    ('layers', ('sharing', 'tasks'), [GONE, *NO_LISTS, [], ['cls', 'cls'], ['cls', ''], ['cls', 3], ['cls', []]], None),
    ('layers', ('sharing', 'tasks'), [['cls'], ['cls', 'det', 'seg']], 'sharing.blocks.stem'),
    *((kind, ('sharing', 'blocks'), [GONE, *NO_OBJECTS, {}], 'sharing.blocks') for kind in GOOD),
    *((kind, ('sharing', 'blocks', 'stem'), [GONE, *NO_LISTS, [], [0], [0, 1, 0]], None) for kind in GOOD),
    *((kind, ('sharing', 'blocks', 'stem'), [[0, value] for value in (*NO_NUMBERS, -1, 2, .5, 1.)], None)
      for kind in GOOD),
    ('layers', ('sharing', 'blocks', 'layer20'), [[0, 0]], None),
    ('cells', ('sharing', 'blocks', 'cell3'), [GONE], None),
    ('cells', ('sharing', 'blocks', 'cell5'), [[0, 0]], None),
    ('cells', ('sharing', 'extra'), [1], None),
    ('layers', ('sharing', 'method'), ['fusion'], 'sharing.blocks'),
    ('fused_layers', ('sharing', 'method'), ['branching'], 'sharing.edges'),
    *((kind, ('sharing', 'method'), [GONE, *NO_TEXTS, '', 'Fusion'], None) for kind in FUSED),
    *((kind, ('sharing', 'edges'), [GONE, *NO_LISTS, [1], [['cls', 1, 'det']]], 'sharing.edges') for kind in FUSED),
    ('fused_cells', ('sharing', 'edges', 0), [*NO_LISTS, [], ['cls', 1, 'det', 0, 0]], None),
    *(('fused_layers', ('sharing', 'edges', 0, i), [*NO_TEXTS, '', 'seg', 'Cls'], f'sharing.edges[0][{i}]')
      for i in (0, 2)),
    *((kind, ('sharing', 'edges', 0, i), [*NO_NUMBERS, -1, 6, .5, 1.], f'sharing.edges[0][{i}]')
      for i in (1, 3) for kind in FUSED),
    ('fused_layers', ('sharing', 'edges', 1, 1), [6], 'sharing.edges[1][1]'),
    ('fused_layers', ('sharing', 'edges', 2, 3), [1], 'sharing.edges[2][3]'),  # a later stage than its target
    ('fused_cells', ('sharing', 'edges', 0, 1), [3], 'sharing.edges[0][1]'),
    ('fused_cells', ('sharing', 'edges', 0, 1), [0], 'sharing.edges[0][3]'),  # earlier than its source
    ('fused_cells', ('sharing', 'edges', 0), [['det', 2, 'det', 1]], 'sharing.edges[0][2]'),
    ('fused_layers', ('sharing', 'edges', 1), [['cls', 5, 'det', 5]], 'sharing.edges[1]'),
    ('fused_layers', ('sharing', 'tasks'), [['cls', 'seg']], 'sharing.edges[0][2]'),
    ('fused_cells', ('sharing', 'blocks'), [{}], None),
] for value in values]


def changed(kind, path, value):
    data = holder = copy.deepcopy(EVERY[kind])
    for key in path[:-1]:
        holder = holder[key]
    if value is GONE:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return json.dumps(data)


def refuse(path, content, place):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for load in (load_genotype, resolve_genotype):
        with pytest.raises(GenotypeError, match=rf'^{re.escape(str(path))}: {re.escape(place)}'):
            load(path)


def test_the_good_files_are_read(tmp_path):
    for kind, data in EVERY.items():
        path = tmp_path / f'{kind}.json'
        path.write_text(json.dumps(data))
        assert load_genotype(path).to_dict() == data
    assert len({(kind, path, repr(value)) for kind, path, value, _ in CASES}) == len(CASES) > 100


@pytest.mark.parametrize('kind, path, value, field', CASES)
def test_field(tmp_path, kind, path, value, field):
    refuse(tmp_path / 'a.json', changed(kind, path, value), field)


@pytest.mark.parametrize('kind', EVERY)
def test_every_field_twice(tmp_path, kind):
    """JSON readers take the last one in silence."""
    text = json.dumps(EVERY[kind])
    names = re.findall(r'"(\w+)": ', text)
    assert len(names) > 15
    for name in names:
        place = text.index(f'"{name}": ')
        refuse(tmp_path / 'a.json', f'{text[:place]}"{name}": 0, {text[place:]}', f'{name}: is there twice')


TEXT = json.dumps(LAYERED)


@pytest.mark.parametrize('content, place', [
    ('', 'line 1 column 1'), (' \n', 'line 2 column 1'), ('null', 'None; the top'), ('3', '3; the top'),
    ('"x"', "'x'; the top"), ('[]', '[]; the top'), ('{}', 'format: None'), ('NaN', 'nan; the top'),
    (TEXT[:-1], 'line 1'), (TEXT[:40], 'line 1'), (TEXT + 'x', 'line 1'), (TEXT + TEXT, 'line 1'),
    (TEXT.replace('"', "'"), 'line 1'), (TEXT.replace('}', ',}'), 'line 1'), (TEXT.replace(':', ''), 'line 1'),
    (f'// {TEXT}', 'line 1 column 1'), (TEXT.replace('e3', 'e\n3', 1), 'line 1'),
    (TEXT.replace('e3', '\\x', 1), 'line 1'),
    ('[' * 200_000, 'is nested too deeply'), ('{"a":' * 200_000, 'is nested too deeply'),
    (TEXT.replace('"a.py"', '[' * 200_000 + ']' * 200_000), 'is nested too deeply'),
    (TEXT.replace('"a.py"', '[' * 900 + ']' * 900), 'source.config'),
    (TEXT.replace('"version": 1', f'"version": {"9" * 5000}'), 'Exceeds the limit'),
    (TEXT.replace('"version": 1', f'"version": {"9" * 4000}'), 'version: 999'),
    (TEXT.replace('"version": 1', '"version": 1e999'), 'version: inf'),
    (b'\xef\xbb\xbf' + TEXT.encode(), 'line 1 column 1'), (TEXT.encode('utf-16'), 'cannot be read as text'),
    (TEXT.encode('utf-32'), 'cannot be read as text'), (b'\xff' + TEXT.encode(), 'cannot be read as text'),
    (TEXT.replace('a.py', 'ä.py').encode('latin1'), 'cannot be read as text'),
    (b'\x80\x04K\x03.', 'cannot be read as text'),
    (b'\x1f\x8b\x08' + bytes(range(256)), 'cannot be read as text'), (b'\0' * 100, 'line 1 column 1'),
])
def test_text(tmp_path, content, place):
    refuse(tmp_path / 'a.json', content, place)


def test_what_is_no_file(tmp_path):
    with pytest.raises(GenotypeError, match=f'^{tmp_path}: cannot be read'):
        load_genotype(tmp_path)
    for path in (tmp_path, tmp_path / 'none.json'):
        with pytest.raises(GenotypeError, match='^architecture: .*the path of an existing architecture file'):
            resolve_genotype(path)


BAD = {  # a few of them, where a user meets them
    'choice': ('layers', ('architecture', 'layers', 0), 'identity', 'architecture.layers[0]'),
    'operation': ('cells', ('architecture', 'normal', 0, 0), ['none', 0], 'architecture.normal[0][0][0]'),
    'NaN': ('layers', ('importance', 'layer01', 0), NAN, 'importance.layer01[0]'),
}


@pytest.mark.parametrize('bad', BAD)
def test_no_network_is_built(tmp_path, bad):
    kind, path, value, field = BAD[bad]
    (tmp_path / 'a.json').write_text(changed(kind, path, value))
    network = dict(type=f'imtnas_mm.{"MBConvNet" if kind == "layers" else "CellNet"}')
    with pytest.raises(GenotypeError, match=rf'a.json: {re.escape(field)}'):
        MODELS.build(dict(network, architecture=str(tmp_path / 'a.json')))
    with pytest.raises(GenotypeError, match=rf'^architecture: {re.escape(field)}'):
        MODELS.build(dict(network, architecture=json.loads(changed(kind, path, value))))


@pytest.mark.parametrize('bad', BAD)
def test_nothing_is_trained(tmp_path, bad):
    kind, path, value, field = BAD[bad]
    (tmp_path / 'a.json').write_text(changed(kind, path, value))
    config = tiny.write_config(tmp_path / 'a.py', None, **tiny.retrain_fields(
        tiny.write_data(tmp_path / 'data', train=2, val=1), 'cls'))
    with tiny.own_scope(), pytest.raises(GenotypeError, match=rf'a.json: {re.escape(field)}'):
        tiny.run('train', config, '--work-dir', tmp_path / 'work', '--architecture', tmp_path / 'a.json')
    assert not list(tmp_path.glob('work/*.pth'))
