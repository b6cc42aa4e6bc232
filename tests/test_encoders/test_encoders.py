import pytest
import torch
from torch import nn

from imtnas_mm.encoders import HyperNetwork, ParameterLayout, StoredWeights
from imtnas_mm.spaces import MBConvSupernet

SMALL = dict(width_mult=.25, stem_stride=1, strides=(1, 2, 1, 1, 2, 1))


@pytest.fixture
def module():
    return nn.Sequential(nn.Conv2d(3, 16, 3, bias=False), nn.BatchNorm2d(16), nn.Conv2d(16, 40, 5, groups=4))


def test_layout_names_and_values(module):
    layout = ParameterLayout.of(module)
    assert layout.size == 3 * 9 * 16 + 32 + 40 * 4 * 25 + 40
    vector = torch.cat([p.detach().reshape(-1) for p in module.parameters()])
    for name, tensor in layout.named(vector).items():
        assert torch.equal(tensor, module.get_parameter(name))


def test_layout_starts_as_a_well_initialised_network(module):
    named = ParameterLayout.of(module)
    scale, offset = named.named(named.scale), named.named(named.offset)
    assert scale['0.weight'].unique().tolist() == pytest.approx([(2 / 27)**.5])
    assert scale['2.weight'].unique().tolist() == pytest.approx([(2 / 100)**.5])
    assert offset['1.weight'].unique().tolist() == [1] and offset['1.bias'].unique().tolist() == [0]
    assert torch.equal(offset['2.bias'], module[2].bias)


@pytest.mark.parametrize('num_importance, weights', [(224, 13_490), (114, 10_190)])
def test_scalar_hypernetwork_has_the_size_of_the_papers(module, num_importance, weights):
    network = HyperNetwork(ParameterLayout.of(module), 2, 2, num_importance, index_encoding='scalar')
    assert sum(p.numel() for p in network.parameters()) == weights


def test_number_of_sub_vectors():
    """19,281 sub-vectors of 100 for the 1.93 M weights of DARTS' supernet (ceil of D / 100 on its D in the table)."""
    layout = ParameterLayout(('w', ), (torch.Size([1_928_100]), ), torch.zeros(1_928_100), torch.ones(1_928_100))
    assert HyperNetwork(layout, 2, 2, 224).num_sub_vectors == 19_281


def plain_generate(network, task, round, importance):
    """Sub-vector by sub-vector, with one-hot inputs of a plain feed-forward network."""
    first = torch.cat([
        network.first_architecture, network.first_task.T, network.first_round.T, network.first_index.T], 1)
    pieces = []
    options = dict(dtype=importance.dtype, device=importance.device)
    for d in range(network.num_sub_vectors):
        k = torch.eye(network.num_tasks, **options)[task]
        m = torch.eye(network.num_rounds, **options)[round]
        one = torch.eye(network.num_sub_vectors, **options)[d]
        hidden = (first @ torch.cat([importance, k, m, one]) + network.first_bias).tanh()
        hidden = (network.second_weight @ hidden + network.second_bias).tanh()
        pieces.append(network.third_weight @ hidden + network.third_bias)
    return network.offset + network.scale * torch.cat(pieces)[:network.layout.size]


def test_hypernetwork_is_the_plain_network_of_one_hot_inputs(module, device):
    network = HyperNetwork(ParameterLayout.of(module), 3, 2, 11, seed=4).double().to(device)
    with torch.no_grad():  # biases and task embeddings that matter
        for parameter in network.parameters():
            parameter += .1 * torch.randn_like(parameter)
    importance = torch.rand(11, dtype=torch.float64).to(device)
    for task, round in ((0, 0), (2, 1)):
        torch.testing.assert_close(
            network.generate(task, round, importance), plain_generate(network, task, round, importance),
            rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('encoding', ['embedding', 'scalar'])
def test_generated_weights_start_at_the_layouts_scale(encoding):
    layout = ParameterLayout.of(MBConvSupernet(**SMALL))
    network = HyperNetwork(layout, 2, 3, 127, index_encoding=encoding)
    weights = layout.named(network.generate(0, 0, torch.full((127, ), 1 / 127)) / layout.scale)
    assert torch.cat([w.reshape(-1) for w in weights.values()]).std().item() == pytest.approx(1, abs=.02)
    if encoding == 'embedding':
        large = [w.std().item() for w in weights.values() if w.numel() > 5000]
        assert len(large) > 20 and all(.7 < s < 1.3 for s in large)


@pytest.mark.parametrize('stage_std, low, high', [(.1, .05, .5), (.5, .3, 1.), (2., .9, 1.6)])
def test_weights_depend_on_task_round_and_architecture_and_start_apart(stage_std, low, high):
    """As far as ``stage_std`` says; weights that have nothing in common are 2^.5 apart."""
    layout = ParameterLayout.of(MBConvSupernet(**SMALL))
    network = HyperNetwork(layout, 2, 2, 127, stage_std=stage_std)
    importance = torch.full((127, ), 1 / 7)
    base, *others = (network.generate(*arguments) for arguments in (
        (0, 0, importance), (1, 0, importance), (0, 1, importance), (0, 0, importance + .3 * torch.rand(127))))
    to_stages, to_architecture = [((other - base).norm() / base.norm()).item() for other in others[:2]], (
        (others[2] - base).norm() / base.norm()).item()
    assert all(low < difference < high for difference in to_stages) and 1e-4 < to_architecture < .5
    assert HyperNetwork(layout, 2, 2, 127).first_task.std().item() == pytest.approx(2., rel=.3)


@pytest.mark.parametrize('encoding', ['embedding', 'scalar'])
def test_gradient_reaches_v_and_a(encoding, module, device):
    network = HyperNetwork(ParameterLayout.of(module), 2, 2, 5, index_encoding=encoding).double().to(device)
    importance = torch.rand(5, dtype=torch.float64).to(device).requires_grad_()
    assert torch.autograd.gradcheck(lambda a: network.generate(1, 1, a)[::97], importance)
    network.generate(1, 1, importance).sum().backward()
    if encoding == 'embedding':
        assert network.first_task.grad[1].any() and not network.first_task.grad[0].any()
    else:
        assert network.first_task.grad.any()


def test_stored_weights_are_one_vector_a_stage(module, device):
    layout = ParameterLayout.of(module)
    stored = StoredWeights(layout, 2, 3, 5).to(device)
    assert sum(p.numel() for p in stored.parameters()) == 6 * layout.size
    actual = {id(stored.generate(k, m, None)) for k in range(2) for m in range(3)}
    assert len(actual) == 6
    assert torch.equal(stored.generate(0, 0, None), stored.generate(1, 2, None))
    start = layout.named(stored.generate(0, 0, None).detach())
    assert start['2.weight'].std().item() == pytest.approx((2 / 100)**.5, rel=.05)


@pytest.mark.parametrize('kind', [HyperNetwork, StoredWeights])
def test_a_stage_that_does_not_exist(kind, module):
    with pytest.raises(IndexError, match='task 2, round 0'):
        kind(ParameterLayout.of(module), 2, 2, 5).generate(2, 0, torch.rand(5))


def test_unknown_encoding(module):
    with pytest.raises(ValueError, match='binary'):
        HyperNetwork(ParameterLayout.of(module), 2, 2, 5, index_encoding='binary')


def test_a_layout_leaves_names_out():
    """What is left is the same views of the vector, and so is its gradient."""
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 2), torch.nn.Linear(2, 2))
    layout = ParameterLayout.of(module)
    vector = torch.randn(layout.size, requires_grad=True)
    whole = layout.named(vector)
    for without in (frozenset({'0.bias', '1.weight', '1.bias'}), frozenset({'0.weight', '2.bias'}), frozenset()):
        part = layout.named(vector, without)
        assert list(part) == [name for name in layout.names if name not in without]
        assert all(torch.equal(value, whole[name]) for name, value in part.items())
        actual, expected = (torch.autograd.grad(sum(value.square().sum() for value in values), vector)[0]
                           for values in (part.values(), [whole[name] for name in part]))
        assert torch.equal(actual, expected)
