"""Layouts that a config gives: searched, recorded by their architecture files, rebuilt from them and drawn."""
import json
import re
from dataclasses import replace

import pytest
import torch

from helpers.pictures import texts
from imtnas_mm import space_format
from imtnas_mm.analysis.complexity import count_parameters
from imtnas_mm.analysis.derive import derive_from_checkpoint
from imtnas_mm.analysis.draw import draw_genotype
from imtnas_mm.checkpoint import CheckpointError
from imtnas_mm.genotype import GenotypeError, load_genotype, published_names, resolve_genotype, save_genotype
from imtnas_mm.networks.build import build_network
from imtnas_mm.networks.shared import shared_networks
from imtnas_mm.spaces import MBConvSupernet
from imtnas_mm.spaces.mbconv import Candidate, Layout, format, register_layout
from imtnas_mm.spaces.mbconv.layout import LAYOUTS, get_layout, mbconv_blocks, searched_layers

OWN = dict(
    name='own', widths=(8, 16), depths=(2, 3), strides=(1, 2),
    candidates=[dict(kernel=3, expansion=1), dict(kernel=9, expansion=4)], identity='projection', stem_width=8,
    first_width=None, last_width=24, activation='HSwish')


def alphas(supernet, **choices):
    """Zeros, but for the choices that layers are to take."""
    actual = {name: torch.zeros(shape) for name, shape in supernet.alpha_shapes().items()}
    for layer in supernet.searched:
        if layer.name in choices:
            actual[layer.name][layer.choices.index(choices[layer.name])] = 2.
    return actual


def derived(**choices):
    supernet = MBConvSupernet(OWN)
    return supernet.derive(alphas(supernet, **choices))


def test_the_choices_are_those_of_the_layout():
    blocks = ('mbconv_3x3_e1', 'mbconv_9x9_e4')
    choices = [layer.choices for layer in searched_layers(OWN)]
    first, inside = (*blocks, 'projection'), (*blocks, 'identity')
    assert choices == [first, inside, first, inside, inside]
    assert [layer.choices for layer in searched_layers(dict(OWN, identity='shortcut'))] == [
        blocks, inside, blocks, inside, inside]
    assert {layer.choices for layer in searched_layers(dict(OWN, identity='none'))} == {blocks}


def test_the_layouts_of_the_package_are_entries_like_any_other():
    torch.manual_seed(0)
    named = MBConvSupernet('fairnas19', width_mult=.1, stem_stride=1)
    torch.manual_seed(0)
    by_fields = MBConvSupernet(dict(LAYOUTS['fairnas19'].to_dict(), name='copy'), width_mult=.1, stem_stride=1)
    state, other = named.state_dict(), by_fields.state_dict()
    assert list(state) == list(other) and all(torch.equal(state[name], other[name]) for name in state)
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(named(images)[0], by_fields(images)[0])
    first, second = (space.derive(alphas(space)) for space in (named, by_fields))
    assert first.space == 'fairnas19' and set(first.architecture) == {'layers'}
    assert second.space == 'mbconv' and second.architecture['layers'] == first.architecture['layers']
    networks = []
    for genotype in (first, second):
        torch.manual_seed(1)
        networks.append(build_network(genotype, width_mult=.1))
    assert networks[0].state_dict().keys() == networks[1].state_dict().keys()
    assert torch.equal(*(network.eval()(images)[0] for network in networks))


def test_a_search_network_has_the_parts_of_its_layout():
    supernet = MBConvSupernet(OWN, out_indices=(0, 1), estimator='two_path')
    assert supernet.stage_channels == (8, 24)
    assert [x.shape for x in supernet(torch.randn(2, 3, 16, 16))] == [(2, 8, 8, 8), (2, 24, 4, 4)]
    activations = {type(m).__name__ for m in supernet.modules() if 'swish' in type(m).__name__.lower()}
    assert activations == {'Hardswish'} and not [m for m in supernet.modules() if isinstance(m, torch.nn.ReLU6)]
    covered = [name for paths in supernet.blocks().values() for path in paths
               for name, _ in supernet.get_submodule(path).named_parameters(prefix=path)]
    assert sorted(covered) == sorted(name for name, _ in supernet.named_parameters())
    scaled = MBConvSupernet(OWN, width_mult=2)
    assert scaled.stage_channels == (16, 48)


def test_a_search_network_is_twice_differentiable():
    torch.manual_seed(0)
    supernet = MBConvSupernet(OWN).double()
    weights = dict(supernet.named_parameters())
    loss = supernet(torch.randn(2, 3, 8, 8, dtype=torch.float64))[0].square().mean()
    first = torch.autograd.grad(loss, weights.values(), create_graph=True)
    second = torch.autograd.grad(sum(g.square().sum() for g in first), weights.values())
    assert all(g.isfinite().all() for g in second) and sum(bool(g.any()) for g in second) > len(second) / 2


def test_the_file_records_the_layout_and_rebuilds_the_network(tmp_path):
    genotype = derived(layer01='projection', layer02='identity', layer03='mbconv_9x9_e4', layer05='identity')
    save_genotype(genotype, tmp_path / 'a.json')
    loaded = load_genotype(tmp_path / 'a.json')
    assert loaded == genotype and loaded.space == 'mbconv'
    assert get_layout(loaded.architecture['layout']) == get_layout(OWN)
    assert loaded.summary() == 'own: projection identity 9x9e4 3x3e1 identity'
    network = build_network(loaded, frozen_stages=2)
    assert isinstance(network.layers['layer02'], torch.nn.Identity)
    assert network.layers['layer01'].conv.kernel_size == (1, 1) and network.last.conv.out_channels == 24
    assert network(torch.randn(2, 3, 16, 16))[0].shape == (2, 24, 4, 4)
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_tasks_share_blocks_and_stages_of_it(tmp_path):
    branching = dict(method='branching', tasks=['a', 'b'], blocks={name: [0, 0] for name in mbconv_blocks(OWN)})
    branching['blocks']['layer05'] = [0, 1]
    fusion = dict(method='fusion', tasks=['a', 'b'], edges=[['a', 1, 'b', 0]])
    for sharing in (branching, fusion):
        genotype = replace(derived(layer01='projection'), sharing=sharing)
        save_genotype(genotype, tmp_path / 'a.json')
        networks = shared_networks(load_genotype(tmp_path / 'a.json'))
        assert networks['a'](torch.randn(1, 3, 16, 16))[0].shape == (1, 24, 4, 4)
        if sharing is branching:
            assert networks['a'].last is not networks['b'].last and networks['a'].stem is networks['b'].stem
        assert len(draw_genotype(genotype, tmp_path / 'a')) == 4


def test_the_picture_shows_the_layout(tmp_path):
    genotype = derived(layer01='projection', layer02='identity', layer03='mbconv_9x9_e4')
    svg, _ = draw_genotype(genotype, tmp_path / 'a', title='a title')
    written = texts(svg)
    assert [text for text in written if re.match('MBConv[14]|identity|projection', text)] == [
        'projection', 'identity', 'MBConv4 9×9', 'MBConv1 3×3', 'MBConv1 3×3']
    assert {'MBConv: own', 'a title', 'expansion 1', 'expansion 4', 'Conv 3×3', 'Conv 1×1'} <= set(written)
    assert 'SepConv 3×3' not in written
    assert [text for text in written if text.endswith(' ch')] == ['8 ch', '8 ch', '16 ch', '24 ch']


def test_a_checkpoint_is_derived_by_the_layout_of_its_search(tmp_path):
    text = "default_scope = 'imtnas_mm'\nmodel = dict(search_space=dict(type='MBConvSupernet', layout={}))\n"
    config = tmp_path / 'search.py'
    config.write_text(text.format(repr(OWN)))
    supernet = MBConvSupernet(OWN)
    state = {f'architecture.alphas.{name}': alpha for name, alpha in alphas(supernet, layer02='identity').items()}
    torch.save(dict(meta=dict(iter=9, cfg=config.read_text()), state_dict=state), tmp_path / 'iter_9.pth')
    actual = derive_from_checkpoint(str(config), str(tmp_path / 'iter_9.pth'))
    assert min(actual.complexity(16, 16)) > 0 and actual.genotype.architecture == dict(
        layout=get_layout(OWN).to_dict(),
        layers=['mbconv_3x3_e1', 'identity', 'mbconv_3x3_e1', 'mbconv_3x3_e1', 'mbconv_3x3_e1'])
    config.write_text(text.format(repr(dict(OWN, widths=(8, 24)))))
    with pytest.raises(CheckpointError, match=r"search_space.layout: .*'widths': \(8, 16\).* in its search, .*24"):
        derive_from_checkpoint(str(config), str(tmp_path / 'iter_9.pth'))


def test_a_registered_layout_is_a_space_by_name(monkeypatch, tmp_path):
    space_format.registered_spaces()
    monkeypatch.setattr(space_format, '_formats', dict(space_format._formats))
    monkeypatch.setattr(format, 'LAYOUTS', LAYOUTS)
    monkeypatch.setitem(LAYOUTS, 'three', None)  # put back after the test
    layout = Layout('three', (8, ), (3, ), (2, ), (Candidate(3, 2), Candidate(5, 2)))
    register_layout(layout, 'Three', dict(three_small=dict(layers=['mbconv_3x3_e2'] * 3)))
    supernet = MBConvSupernet('three')
    genotype = supernet.derive(alphas(supernet))
    assert genotype.space == 'three' and set(genotype.architecture) == {'layers'} and 'three_small' in published_names()
    save_genotype(genotype, tmp_path / 'a.json')
    network = build_network(load_genotype(tmp_path / 'a.json'))
    assert network(torch.randn(2, 3, 16, 16))[0].shape == (2, 8, 4, 4)
    for again, message in (
        (layout, "name='three' is registered already"),
        (replace(layout, name='four'), "published of 'four' has 'three_small', which 'three' has already"),
    ):
        with pytest.raises(ValueError, match=message):
            register_layout(again, 'Three', dict(three_small={}))


@pytest.mark.parametrize('changes, message', [
    (dict(name=''), "layout.name: ''; a layout has a name"),
    (dict(widths=(8, 16, 24)), 'layout.depths: [2, 3]; widths, depths and strides are lists of one length'),
    (dict(widths=()), 'layout.widths: []; widths, depths'),
    (dict(widths=(8, -16)), 'layout.widths[1]: -16; it must be a whole number from 1 to 65536'),
    (dict(strides=(1, 3)), 'layout.strides[1]: 3; it must be a whole number from 1 to 2'),
    (dict(depths=(2, True)), 'layout.depths[1]: True; it must be a whole number'),
    (dict(stem_width=None), 'layout.stem_width: None; it must be a whole number'),
    (dict(last_width=0), 'layout.last_width: 0; it must be a whole number'),
    (dict(identity='linear'), "layout.identity: 'linear'; it must be one of none, shortcut, projection"),
    (dict(activation='os.abort'), "layout.activation: 'os.abort'; it must be one of ReLU, ReLU6"),
    (dict(candidates=[dict(kernel=3, expansion=1)]), 'layout.candidates: [{'),
    (dict(candidates=[dict(kernel=4, expansion=1)] * 2), 'layout.candidates[0].kernel: 4; a kernel must be odd'),
    (dict(candidates=[dict(kernel=3, expansion=1)] * 2), 'layout.candidates[1]: {'),
    (dict(candidates=[dict(kernel=3)] * 2), 'layout.candidates[0].expansion: None; this field is missing'),
    (dict(head_width=1280), 'layout.head_width: 1280; unknown field; known are name, widths'),
])
def test_a_wrong_layout_is_refused_in_a_config_and_in_a_file(tmp_path, changes, message):
    with pytest.raises(ValueError, match='^model.search_space: ' + re.escape(message)):
        MBConvSupernet(dict(OWN, **changes))
    content = derived().to_dict()
    content['architecture']['layout'].update(json.loads(json.dumps(changes)))
    (tmp_path / 'a.json').write_text(json.dumps(content))
    with pytest.raises(GenotypeError, match='^' + re.escape(f'{tmp_path / "a.json"}: architecture.{message}')):
        load_genotype(tmp_path / 'a.json')


def test_nasbench_macro_is_a_layout():
    """Its layers, and its architectures as digits (Su et al., 2021)."""
    space = space_format.format_of('nasbench_macro')
    layers = searched_layers('nasbench_macro')
    assert [(layer.out_channels, layer.stride) for layer in layers] == [
        (64, 2), (64, 1), (128, 2), (128, 1), (128, 1), (256, 2), (256, 1), (256, 1)]
    blocks = ('mbconv_3x3_e3', 'mbconv_5x5_e6')
    assert [layer.choices for layer in layers] == [
        (*blocks, 'projection' if layer.stride == 2 else 'identity') for layer in layers]
    for digits in ('00000000', '12012012', '21102201'):
        genotype = resolve_genotype(digits)
        assert genotype.space == 'nasbench_macro' and space.to_string(genotype.architecture) == digits
    assert genotype.architecture['layers'][3:6] == ['identity', 'mbconv_5x5_e6', 'mbconv_5x5_e6']
    assert space.from_string('0000000') is space.from_string('0000000x') is None
    with pytest.raises(GenotypeError, match="digit '3' of layer02; nasbench_macro takes one of 0, 1, 2"):
        resolve_genotype('03000000')
    net = build_network(resolve_genotype('00000000'), stem_stride=1)
    features, = net.eval()(torch.zeros(1, 3, 32, 32))
    assert features.shape == (1, 1280, 4, 4)
    projections = sum(a * b + 2 * b for a, b in ((32, 64), (64, 128), (128, 256)))
    assert count_parameters(net) == 3 * 9 * 32 + 64 + projections + 256 * 1280 + 2 * 1280
