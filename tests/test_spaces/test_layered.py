"""Spaces of layers: against plain sums in float64, what a declaration refuses, their files, costs and blocks."""
import pytest
import torch
from torch import nn

from imtnas_mm.analysis.cost_table import Macs, cost_table
from imtnas_mm.genotype import Genotype, GenotypeError, resolve_genotype
from imtnas_mm.networks.build import build_network
from imtnas_mm.space_format import format_of
from imtnas_mm.spaces import LayeredNet, LayeredSpace, LayeredSupernet

WIDTHS = (3, 4, 4, 6)


def option(index, name, norm_cfg):
    """``same``, or a 1x1 or 3x3 convolution."""
    return nn.Identity() if name == 'same' else nn.Conv2d(
        WIDTHS[index], WIDTHS[index + 1], name, 1, name // 2, bias=False)


FIELDS = dict(name='layered', title='Layered', options=[(1, 3), ('same', 3), (3, 1)], channels=WIDTHS[1:], layer=option,
              stage_ends=(0, 2))
SPACE = LayeredSpace(**FIELDS)


class Supernet(LayeredSupernet):
    space = SPACE


class Net(LayeredNet):
    space = SPACE


SPACE.register(Net)


@pytest.fixture
def supernet():
    torch.manual_seed(0)
    return Supernet(out_indices=(0, 1)).double()


def test_the_supernet_is_a_plain_sum(supernet):
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    alphas = {name: torch.randn(shape, dtype=torch.float64, requires_grad=True)
              for name, shape in supernet.alpha_shapes().items()}
    assert supernet.alpha_shapes() == dict(layer1=(2, ), layer2=(2, ), layer3=(2, ))
    gates = supernet.gate_tensors(alphas, {})
    outputs = torch.func.functional_call(supernet, gates, (x, ))
    assert [tuple(output.shape) for output in outputs] == [(2, 4, 8, 8), (2, 6, 8, 8)]
    assert supernet.stage_channels == (4, 6)
    expected, plain = [], x
    for name, layer in zip(alphas, supernet.layers, strict=True):
        first, second = layer.options
        weights = alphas[name].softmax(0)
        plain = weights[0] * first(plain) + weights[1] * second(plain)
        expected.append(plain)
    torch.testing.assert_close(outputs, (expected[0], expected[2]), rtol=1e-12, atol=1e-12)
    wanted = [*alphas.values(), *supernet.parameters()]
    ours, theirs = (torch.autograd.grad(sum(o.square().sum() for o in out), wanted)
                    for out in (outputs, (expected[0], expected[2])))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_it_derives_and_the_network_has_the_chosen_options(supernet, tmp_path):
    alphas = dict(layer1=torch.tensor([0., 1.]), layer2=torch.tensor([2., 0.]), layer3=torch.tensor([0., .5]))
    genotype = supernet.derive(alphas)
    assert genotype.architecture == dict(layers=[3, 'same', 1])
    assert genotype.importance['layer2'] == pytest.approx(torch.tensor([2., 0.]).softmax(0).tolist())
    network = build_network(genotype, out_indices=(0, 1))
    assert isinstance(network, Net) and network.out_channels == (4, 6)
    assert [tuple(p.shape) for p in network.parameters()] == [(4, 3, 3, 3), (6, 4, 1, 1)]
    x = torch.randn(1, 3, 8, 8)
    first, _, last = network.layers
    torch.testing.assert_close(network(x), (first(x), last(first(x))))
    frozen = build_network(genotype, frozen_stages=1)
    assert [p.requires_grad for p in frozen.parameters()] == [False, True]
    assert format_of('layered').summary(genotype.architecture) == '3 same 1'


@pytest.mark.parametrize('layers, message', [
    ([3, 'same'], 'it must be a list of 3 options, one per layer'),
    ('3', 'it must be a list of 3 options, one per layer'),
    ([3, 'same', 5], r'architecture.layers\[2\]: 5; layer 3 takes one of 3, 1'),
    ([3.0, 'same', 1], r'architecture.layers\[0\]: 3.0; layer 1 takes one of 1, 3'),
    ([True, 'same', 1], r'architecture.layers\[0\]: True; layer 1 takes one of 1, 3'),
    ([3, 1, 1], r"architecture.layers\[1\]: 1; layer 2 takes one of 'same', 3"),
])
def test_a_wrong_file_is_refused(layers, message):
    with pytest.raises(GenotypeError, match=message):
        resolve_genotype(dict(
            format='imtnas_mm.architecture', version=1, space='layered', architecture=dict(layers=layers)))


def test_costs_add_up():
    genotype = Genotype('layered', dict(layers=[1, 'same', 3]))
    table = cost_table(genotype, {}, (3, 8, 8), Macs())
    costs = {('layer1', 0): 64 * 12., ('layer1', 1): 64 * 12 * 9., ('layer2', 0): 0., ('layer2', 1): 64 * 16 * 9.,
             ('layer3', 0): 64 * 24 * 9., ('layer3', 1): 64 * 24.}
    assert {candidate: table.candidates.get(candidate, 0.) for candidate in costs} == costs and table.fixed == 0


def test_blocks_and_names(supernet):
    assert supernet.blocks() == dict(layer1=('layers.0', ), layer2=('layers.1', ), layer3=('layers.2', ))
    form = format_of('layered')
    assert form.blocks(dict(layers=[1, 'same', 3]), 3) == dict(layer1='1', layer2='same', layer3='3')
    assert form.choices({})['layer2'] == [('layer 2', ('same', '3'))]


@pytest.mark.parametrize('fields, message', [
    (dict(options=[(1, 3), (3, ), (3, 1)]), r'options\[1\]=\(3,\) must be two or more different names'),
    (dict(options=[(1, 3), (3, 3), (3, 1)]), r'options\[1\]=\(3, 3\) must be two or more'),
    (dict(options=[(3, '3'), (3, 1), (3, 1)]), r"options\[0\]=\(3, '3'\) must be two or more"),
    (dict(options=['ab', (3, 1), (3, 1)]), r"options\[0\]='ab' must be two or more"),
    (dict(channels=(4, 4)), r'channels=\(4, 4\) must have a number for each of the 3 layers'),
    (dict(options=[], channels=()), 'of which there must be one at least'),
    (dict(stage_ends=(0, 1)), r'stage_ends=\(0, 1\) must be rising indices of layers that end with the last, 2'),
    (dict(stage_ends=(1, 1, 2)), r'stage_ends=\(1, 1, 2\) must be rising'),
])
def test_a_wrong_declaration_is_refused(fields, message):
    with pytest.raises(ValueError, match=f"LayeredSpace 'layered': .*{message}|LayeredSpace 'layered': {message}"):
        LayeredSpace(**{**FIELDS, **fields})


def test_wrong_stages_are_refused():
    with pytest.raises(ValueError, match=r'out_indices=\(0, 2\): layered has stages 0 to 1'):
        Supernet(out_indices=(0, 2))
