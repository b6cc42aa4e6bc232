"""The MBConv supernets against REFERENCE figures and plain sums."""
import math

import pytest
import torch
from torch.func import functional_call

from helpers.devices import moved
from imtnas_mm.architecture import one_hot
from imtnas_mm.networks import ImageNetHead
from imtnas_mm.spaces import MBConvSupernet
from imtnas_mm.spaces.mbconv.layout import CONVOLUTIONS, IDENTITY, searched_layers
from imtnas_mm.spaces.mbconv.supernet import straight_through

SMALL = dict(width_mult=.25, stem_stride=1, strides=(1, 2, 1, 1, 2, 1))
LEGAL_IDENTITY = (2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18)


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize('layout, total', [('fairnas19', 15_992_600), ('proxyless21', 16_034_168)])
def test_supernet_weights(layout, total):
    """With affine norms, as the published supernets count, and the ImageNet head they end with."""
    supernet = MBConvSupernet(layout, norm_cfg=dict(type='BN'))
    assert count(supernet) + count(ImageNetHead(1000)) == total


def test_blocks_alone():
    assert count(MBConvSupernet(norm_cfg=dict(type='BN')).layers) == 14_297_616


def test_identity_is_offered_where_a_shortcut_is_legal():
    layers = searched_layers('fairnas19')
    assert tuple(i for i, layer in enumerate(layers, 1) if IDENTITY in layer.choices) == LEGAL_IDENTITY
    assert all(layer.choices[:6] == CONVOLUTIONS for layer in layers)
    for layer in layers:
        if IDENTITY in layer.choices:
            assert layer.stride == 1 and layer.in_channels == layer.out_channels
    assert sum(a for (a, ) in MBConvSupernet(**SMALL).alpha_shapes().values()) == 13 * 7 + 6 * 6


@pytest.mark.parametrize('layout, size', [('fairnas19', 64), ('proxyless21', 64), ('fairnas19', 75)])
def test_pyramid_features(layout, size):
    supernet = MBConvSupernet(layout, out_indices=(0, 1, 3, 5), estimator='two_path')
    alphas = {n: torch.randn(s) for n, s in supernet.alpha_shapes().items()}
    with torch.no_grad():
        features = functional_call(supernet, supernet.evaluation_gates(alphas), (torch.rand(2, 3, size, size), ))
    widths = (32, 40, 96, 320) if layout == 'fairnas19' else (24, 40, 96, 320)
    assert [f.shape[1] for f in features] == list(widths)
    assert [f.shape[2] for f in features] == [math.ceil(size / s) for s in (4, 8, 16, 32)]


def plain_forward(supernet, gates, x):
    """Layer by layer, choice by choice."""
    x = supernet.first(supernet.stem(x))
    for layer in supernet.searched:
        mixed = supernet.layers[layer.name]
        total = x.new_zeros(())
        for i, choice in enumerate(layer.choices):
            if gates[f'gates.{layer.name}'][i] != 0:
                total = total + gates[f'gates.{layer.name}'][i] * mixed.choices[choice](x)
        x = total
    return x


@pytest.mark.parametrize('estimator, chosen', [('softmax', None), ('two_path', 2), ('gumbel', 1)])
def test_forward_is_the_gated_sum(estimator, chosen, device):
    supernet = MBConvSupernet(estimator=estimator, **SMALL).double().to(device)
    alphas = {n: torch.randn(s, dtype=torch.float64) for n, s in supernet.alpha_shapes().items()}
    draw = supernet.draw(alphas, torch.Generator().manual_seed(0))
    gates = supernet.gate_tensors(moved(alphas, device), moved(draw, device))
    for name, gate in gates.items():
        assert gate.sum().item() == pytest.approx(1)
        if chosen:
            assert (gate != 0).sum() == chosen, name
    x = torch.rand(2, 3, 16, 16, dtype=torch.float64).to(device)
    with torch.no_grad():
        result, = functional_call(supernet, gates, (x, ))
        torch.testing.assert_close(result, plain_forward(supernet, gates, x), rtol=1e-12, atol=1e-12)


def test_only_sampled_choices_are_computed():
    supernet = MBConvSupernet(estimator='gumbel', **SMALL)
    alphas = {n: torch.randn(s) for n, s in supernet.alpha_shapes().items()}
    gates = supernet.gate_tensors(alphas, supernet.draw(alphas, torch.Generator().manual_seed(0)))
    called = []
    for name, mixed in supernet.layers.items():
        for choice, module in mixed.choices.items():
            module.register_forward_hook(lambda *_, key=(name, choice): called.append(key))
    functional_call(supernet, gates, (torch.rand(2, 3, 16, 16), ))
    assert len(called) == 19
    for layer in supernet.searched:
        chosen = gates[f'gates.{layer.name}'].argmax().item()
        assert (layer.name, layer.choices[chosen]) in called


def test_two_path_gate_by_hand():
    supernet = MBConvSupernet(estimator='two_path', **SMALL)
    alphas = {n: torch.zeros(s) for n, s in supernet.alpha_shapes().items()}
    alphas['layer01'] = torch.tensor([0., math.log(3), 5., 0., 0., 0.], requires_grad=True)
    draw = {n: torch.tensor([1, 0]) for n in alphas}
    gate = supernet.gate_tensors(alphas, draw)['gates.layer01']
    torch.testing.assert_close(gate.detach(), torch.tensor([.25, .75, 0, 0, 0, 0]))
    gate[1].backward()
    torch.testing.assert_close(alphas['layer01'].grad, torch.tensor([-.25 * .75, .25 * .75, 0, 0, 0, 0]))


def test_two_path_step_keeps_the_pair_together_and_the_others_still():
    supernet = MBConvSupernet(estimator='two_path', **SMALL)
    before = {n: torch.randn(s) for n, s in supernet.alpha_shapes().items()}
    draw = supernet.draw(before, torch.Generator().manual_seed(1))
    after = {n: a + torch.randn_like(a) for n, a in before.items()}
    stepped = {n: a.clone() for n, a in after.items()}
    supernet.after_architecture_step(before, after, draw)
    for name, pair in draw.items():
        others = [i for i in range(len(before[name])) if i not in pair.tolist()]
        assert torch.equal(after[name][others], before[name][others])
        torch.testing.assert_close(after[name][pair].logsumexp(0), before[name][pair].logsumexp(0))
        torch.testing.assert_close(after[name].softmax(0)[others], before[name].softmax(0)[others])
        torch.testing.assert_close(  # the step's own word, the ratio of the two, stays
            after[name][pair[0]] - after[name][pair[1]], stepped[name][pair[0]] - stepped[name][pair[1]])


def test_two_path_draws_by_the_softmax():
    supernet = MBConvSupernet(estimator='two_path', **SMALL)
    alphas = {n: torch.zeros(s) for n, s in supernet.alpha_shapes().items()}
    alphas['layer01'] = torch.tensor([math.log(4), 0., 0., 0., 0., 0.])
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([supernet.draw(alphas, generator)['layer01'] for _ in range(2000)])
    first = (draws[:, 0] == 0).float().mean().item()
    assert first == pytest.approx(4 / 9, abs=.035)  # three standard deviations
    assert (draws[:, 0] != draws[:, 1]).all()


def test_gumbel_choices_follow_the_softmax():
    supernet = MBConvSupernet(estimator='gumbel', **SMALL)
    alphas = {n: torch.zeros(s) for n, s in supernet.alpha_shapes().items()}
    alphas['layer01'] = torch.tensor([math.log(4), 0., 0., 0., 0., 0.])
    generator = torch.Generator().manual_seed(0)
    chosen = sum(
        supernet.gate_tensors(alphas, supernet.draw(alphas, generator))['gates.layer01'][0].item() == 1
        for _ in range(1000))
    assert chosen / 1000 == pytest.approx(4 / 9, abs=.05)


def test_straight_through_is_hard_forward_and_soft_backward():
    logits = torch.tensor([.2, 1., -.5], requires_grad=True)
    soft = logits.softmax(0)
    gate = straight_through(soft)
    assert gate.tolist() == [0, 1, 0]
    expected, = torch.autograd.grad(soft[1], logits, retain_graph=True)
    actual, = torch.autograd.grad(gate[1], logits)
    torch.testing.assert_close(actual, expected)


def test_derive_takes_the_largest_and_the_first_of_ties():
    supernet = MBConvSupernet(**SMALL)
    alphas = {n: torch.zeros(s) for n, s in supernet.alpha_shapes().items()}
    alphas['layer02'][6] = 1
    alphas['layer05'][3] = .1
    genotype = supernet.derive(alphas)
    assert genotype.space == 'fairnas19'
    layers = genotype.architecture['layers']
    assert layers[1] == IDENTITY and layers[4] == 'mbconv_5x5_e6'
    assert layers[0] == 'mbconv_3x3_e3'
    assert one_hot(torch.tensor([2., 2., 1.])).tolist() == [1, 0, 0]
    assert genotype.importance['layer02'][6] == pytest.approx(math.e / (math.e + 6))


def test_supernet_stands_alone_as_a_uniform_mixture():
    supernet = MBConvSupernet(**SMALL)
    for layer in supernet.searched:
        gate = supernet.gates[layer.name]
        assert gate.tolist() == pytest.approx([1 / len(layer.choices)] * len(layer.choices))
    assert not [name for name in supernet.state_dict() if name.startswith('gates')]


@pytest.mark.parametrize('options, message', [
    (dict(layout='fairnas20'), 'fairnas20'),
    (dict(estimator='three_path'), 'three_path'),
    (dict(out_indices=(6, )), 'stages 0 to 5'),
    (dict(strides=(1, 2)), '6 strides'),
    (dict(stem_stride=4), 'stem_stride=4'),
    (dict(temperature=0.), 'temperature'),
])
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        MBConvSupernet(**options)
