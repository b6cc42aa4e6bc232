"""A search space from outside the package, in one file: searched, derived, retrained, and left without a picture."""
import json
import re
from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from helpers import tiny_run as tiny
from imtnas_mm.analysis import draw
from imtnas_mm.genotype import GenotypeError, load_genotype, published_genotype, resolve_genotype, save_genotype
from imtnas_mm.space_format import format_of, register_space

IMPORTS = dict(imports=['imtnas_mm.engine', 'outside.toy_space'], allow_failed_imports=False)


@pytest.fixture(scope='module')
def search(data, tmp_path_factory):
    """The config of a tiny search, and its work dir."""
    folder = tmp_path_factory.mktemp('toy')
    fields = tiny.search_fields(data, order=('cls', 'cls2'))
    fields['model']['search_space'] = tiny.replaced(type='ToySupernet', channels=8)
    fields['model']['cost'] = dict(type='MACs', target=3e5, shape=32)
    config = tiny.write_config(folder / 'toy.py', 'imtnas_demo.py', custom_imports=IMPORTS, **fields)
    tiny.run('train', config, '--work-dir', folder / 'run')
    return config, folder / 'run'


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(draw, 'print_log', lambda text, *_: lines.append(text))
    return lines


def test_a_search_leaves_its_architecture_and_says_that_it_has_no_picture(search):
    _, work_dir = search
    genotype = load_genotype(work_dir / 'architecture.json')
    assert genotype.space == 'toy' and genotype.source['method'] == 'IMTNAS'
    assert set(genotype.importance) == {'stage0', 'stage1'}
    assert not list(work_dir.glob('architecture.[sp][vn]g'))
    log = tiny.log_text(work_dir)
    assert f'Architecture after epoch 1: {genotype.summary()}' in log
    assert 'the space toy has no picture: its SpaceFormat has no draw' in log


def test_the_log_has_the_cost_of_its_architecture(search):
    """Two convolutions of 8 and 32 channels, on 16x16 and 8x8 pixels."""
    _, work_dir = search
    derived, expected, term, weights = (
        tiny.logged(work_dir, f'cost/{name}') for name in ('derived', 'expected', 'term', 'weight'))
    costs = [256 * 8 * 3 * first**2 + 64 * 32 * 8 * second**2 for first in (3, 5) for second in (3, 5)]
    assert len(derived) == 2 and set(derived) <= set(costs)
    assert all(min(costs) < value < max(costs) for value in expected)
    assert term == pytest.approx([
        weight * max(abs(cost / 3e5 - 1) - .02, 0) for cost, weight in zip(derived, weights, strict=True)], rel=1e-3)
    assert weights[0] == 1 and all(weight >= 1 for weight in weights)


def test_the_file_is_saved_loaded_and_refused(tmp_path):
    genotype = published_genotype('toy_small')
    save_genotype(genotype, tmp_path / 'a.json')
    assert load_genotype(tmp_path / 'a.json') == genotype == resolve_genotype('toy_small')
    content = genotype.to_dict()
    for changes, place in (
        (dict(architecture=dict(kernels=[3, 7])), 'architecture.kernels[1]: 7; it must be one of 3, 5'),
        (dict(architecture=dict(kernels=[3])), 'architecture.kernels: [3]; it must be a list of 2'),
        (dict(architecture=dict(layers=[])), 'architecture.layers: []; unknown field'),
        (dict(importance=dict(stage0=[.5, .5])), 'importance.stage1: None; this field is missing'),
        (dict(sharing=dict(method='branching', tasks=['a', 'b'], blocks={})),
         'sharing.blocks: {}; the space toy has no blocks that tasks could share'),
        (dict(sharing=dict(method='fusion', tasks=['a', 'b'], edges=[['a', 2, 'b', 0]])),
         'sharing.edges[0][1]: 2; the stages of toy that it may be are 0 to 1'),
    ):
        (tmp_path / 'b.json').write_text(json.dumps({**content, **changes}))
        with pytest.raises(GenotypeError, match=re.escape(f'{tmp_path / "b.json"}: {place}')):
            load_genotype(tmp_path / 'b.json')


def test_derive_writes_the_file_without_a_picture(search, tmp_path, capsys, said):
    config, work_dir = search
    out = tmp_path / 'out.json'
    tiny.tool('derive').main([str(config), str(work_dir / 'epoch_1.pth'), '--out', str(out), '--shape', '32'])
    printed = capsys.readouterr().out
    genotype = load_genotype(out)
    first, second = genotype.architecture['kernels']
    parameters = 8 * 3 * first**2 + 32 * 8 * second**2 + 2 * (8 + 32)  # two convolutions, two norms
    assert f'parameters: {parameters:,} (backbone)' in printed
    assert [line for line in printed.splitlines() if line.startswith('written: ')] == [f'written: {out}']
    assert said == [draw.no_picture('toy')] and [path.name for path in tmp_path.iterdir()] == ['out.json']


def test_derive_compares_the_options_that_both_networks_have(search):
    config, work_dir = search
    with pytest.raises(SystemExit, match='model.search_space.channels: 8 in its search, 16 in '):
        tiny.tool('derive').main([str(config), str(work_dir / 'epoch_1.pth'), '--cfg-options',
                                  'model.search_space.channels=16'])


@pytest.mark.parametrize('file', ['architecture.json', 'epoch_1.pth'])
def test_draw_says_that_there_is_no_picture(search, tmp_path, said, file):
    config, work_dir = search
    with pytest.raises(SystemExit) as error:
        tiny.tool('draw').main([str(work_dir / file), '--config', str(config), '--out', str(tmp_path / 'a')])
    assert error.value.code == 1 and said == [draw.no_picture('toy')] and not list(tmp_path.iterdir())


def test_a_drawing_function_gives_it_a_picture(tmp_path):
    space_format = replace(format_of('toy'), name='toy_drawn', published={}, draw=lambda genotype, title, channels=4: (
        figure_of(f'{genotype.summary()} with {channels} channels, {title}')))
    register_space(space_format)
    genotype = replace(published_genotype('toy_small'), space='toy_drawn')
    svg, png = draw.draw_genotype(genotype, tmp_path / 'a', 'a title', channels=8)
    assert '3 3 with 8 channels, a title' in svg.read_text() and png.stat().st_size


def figure_of(text):
    figure = Figure()
    figure.text(.1, .5, text)
    return figure


def test_what_tasks_share_is_drawn_without_the_picture_of_the_space(tmp_path, said):
    shared = dict(published_genotype('toy_small').to_dict(), sharing=dict(
        method='fusion', tasks=['a', 'b'], edges=[['a', 1, 'b', 0]]))
    paths = draw.draw_genotype(resolve_genotype(shared), tmp_path / 'a')
    assert [path.name for path in paths] == ['a_sharing.svg', 'a_sharing.png'] and said == [draw.no_picture('toy')]
    assert 'Toy: features that the tasks read of one another' in paths[0].read_text()


def test_the_architecture_is_retrained(search, data, tmp_path):
    _, work_dir = search
    fields = tiny.retrain_fields(data, 'cls')
    fields.update(custom_imports=IMPORTS, model=dict(
        fields['model'], backbone=dict(type='imtnas_mm.ToyNet', channels=8, architecture='toy_small')))
    config = tiny.write_config(tmp_path / 'retrain.py', None, **fields)
    tiny.run('train', config, '--work-dir', tmp_path / 'run', '--architecture', work_dir / 'architecture.json')
    state = tiny.checkpoint(tmp_path / 'run' / 'epoch_1.pth')['state_dict']
    kernel = load_genotype(work_dir / 'architecture.json').architecture['kernels'][0]
    assert state['backbone.layers.0.conv.weight'].shape == (8, 3, kernel, kernel)
