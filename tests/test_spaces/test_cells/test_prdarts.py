"""Gates and regularisation of PR-DARTS."""
import math

import pytest
import torch

from helpers.devices import moved
from imtnas_mm.progress import Progress
from imtnas_mm.spaces import PRDARTSSupernet
from imtnas_mm.spaces.cells.layout import CELLS, EDGES, OPERATIONS
from imtnas_mm.spaces.cells.prdarts import activation_probability, hard_concrete, path_depth_regularization


def supernet(**options):
    return PRDARTSSupernet(channels=2, layers=3, **options)


def alphas_of(seed=0, std=1.):
    generator = torch.Generator().manual_seed(seed)
    return {kind: (std * torch.randn(14, 8, generator=generator, dtype=torch.float64)).requires_grad_()
            for kind in CELLS}


# --- gates ---


def test_gate_by_hand():
    u = .3
    noise = math.log(u) - math.log(1 - u)
    s = 1 / (1 + math.exp(-(.4 + noise) / .5))
    gate = hard_concrete(torch.tensor(.4), torch.tensor(noise), .5)
    assert gate.item() == pytest.approx(-.1 + 1.2 * s, rel=1e-6)
    assert hard_concrete(torch.tensor([9., -9.]), torch.zeros(2), .5).tolist() == [1, 0]


@pytest.mark.parametrize('temperature', [1., .5, .1])
@pytest.mark.parametrize('logit', [-2., -.5, 0., 1.5])
def test_activation_probability_is_that_of_the_gates(logit, temperature):
    many = 200_000
    draw = supernet(temperature=(temperature, temperature)).draw(
        dict(a=torch.zeros(many)), torch.Generator().manual_seed(0))['a']
    gates = hard_concrete(torch.tensor(logit), draw, temperature)
    expected = activation_probability(torch.tensor(logit), temperature).item()
    assert expected == pytest.approx(1 / (1 + math.exp(-logit - 2.398 * temperature)), abs=1e-4)
    assert (gates > 0).double().mean().item() == pytest.approx(
        expected, abs=4 * math.sqrt(expected * (1 - expected) / many))


def test_noise_is_logistic_and_by_the_generator():
    space, shapes = supernet(), dict(a=torch.zeros(100_000))
    noise = space.draw(shapes, torch.Generator().manual_seed(3))['a']
    assert torch.equal(noise, space.draw(shapes, torch.Generator().manual_seed(3))['a'])
    assert not torch.equal(noise, space.draw(shapes, torch.Generator().manual_seed(4))['a'])
    for quantile in (.1, .5, .9):
        assert (noise < math.log(quantile / (1 - quantile))).double().mean().item() == pytest.approx(quantile, abs=5e-3)


@pytest.mark.parametrize('num_sampled', [1, 2, 3])
def test_straight_through_of_an_edges_largest(num_sampled, device):
    space, alphas = supernet(num_sampled=num_sampled, temperature=(.7, .7)), alphas_of()
    draw = space.draw(alphas, torch.Generator().manual_seed(0))
    space, alphas, draw = space.to(device), moved(alphas, device), moved(draw, device)
    gates = space.gate_tensors(alphas, draw)
    assert list(gates) == ['gates.normal', 'gates.reduce']
    for kind in CELLS:
        gate = gates[f'gates.{kind}']
        soft = hard_concrete(alphas[kind], draw[kind], .7)
        stretched = -.1 + 1.2 * ((alphas[kind] + draw[kind]) / .7).sigmoid()
        assert set(gate.unique().tolist()) == {0, 1}
        chosen = gate != 0
        assert (chosen.sum(1) == num_sampled).all()
        for row in range(14):
            assert set(chosen[row].nonzero().flatten().tolist()) == set(
                stretched[row].topk(num_sampled).indices.tolist())
        slope = torch.randn(14, 8, dtype=torch.float64).to(device)
        actual, = torch.autograd.grad((gate * slope).sum(), alphas[kind], retain_graph=True)
        # of the clipped gate: none where it is clipped
        expected, = torch.autograd.grad((soft * slope * chosen).sum(), alphas[kind])
        torch.testing.assert_close(actual, expected)
        clipped = chosen & ((stretched < 0) | (stretched > 1))
        assert not actual[clipped].any() and not actual[~chosen].any() and actual[chosen & ~clipped].all()


def test_clipped_gates_are_still_ranked():
    """At a low temperature most are 0 or 1: of equals, the larger logit plus noise."""
    space = supernet(temperature=(.1, .1))
    rows = torch.tensor([[.5, .1, .4, .3, .2, -1., 0., 0.], [-.5, -.9, -.4, -.3, -.7, -.6, -.8, -.9]]).repeat(7, 1)
    gate = space.evaluation_gates(dict(normal=rows, reduce=rows))['gates.normal']
    assert gate[0].tolist() == [1, 0, 1, 0, 0, 0, 0, 0] and gate[1].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]


def test_saturated_sigmoids_are_still_ranked():
    """In float32 a sigmoid of 20 is 1: the order must not be lost there."""
    space = supernet(temperature=(.1, .1))
    rows = torch.tensor([2., 3., 4., 1., 5., 6., 2., 1.]).repeat(14, 1)
    for sign, expected in ((1, [4, 5]), (-1, [3, 7])):
        gate = space.evaluation_gates({kind: sign * 40 * rows for kind in CELLS})['gates.normal']
        assert gate[0].nonzero().flatten().tolist() == expected


def test_temperature_falls_linearly():
    space = supernet(temperature=(10., .1))
    assert space.temperature == .1  # a finished search
    for fraction, expected in ((0., 10.), (.25, 7.525), (.5, 5.05), (1., .1)):
        space.set_progress(Progress(3, 10, 2, fraction))
        assert space.temperature == pytest.approx(expected)
        actual = space.importance(dict(normal=torch.tensor([[.3]])))['normal'].item()
        assert actual == pytest.approx(1 / (1 + math.exp(-.3 - expected * math.log(11))), rel=1e-6)
    space.set_progress(None)
    assert space.temperature == .1


def test_entropy_is_that_of_each_gate():
    space, alphas = supernet(), alphas_of()
    total = 0
    for rows in space.importance(alphas).values():
        for p in rows.flatten().tolist():
            total -= p * math.log(p) + (1 - p) * math.log(1 - p)
    assert space.entropy(alphas).item() == pytest.approx(total / 224)


# --- regularisation ---


def plain_regularization(probabilities, weights, threshold):
    """Group by group, edge by edge."""
    groups = dict(skip=['skip_connect'], pool=['max_pool_3x3', 'avg_pool_3x3'],
                  conv=['none', 'sep_conv_3x3', 'sep_conv_5x5', 'dil_conv_3x3', 'dil_conv_5x5'])
    excess = {}
    for group, names in groups.items():
        values = [probabilities[kind][edge, OPERATIONS.index(name)]
                  for kind in ('normal', 'reduce') for edge in range(14) for name in names]
        excess[group] = torch.clamp(sum(values) / len(values) - threshold, min=0)
    depth = 0
    for kind in ('normal', 'reduce'):
        product = 1
        for node in range(4):
            edge = EDGES.index((node, node + 1))  # from the state just before
            values = [probabilities[kind][edge, OPERATIONS.index(name)] for name in groups['conv'] if name != 'none']
            product = product * sum(values) / 4
        depth = depth + product
    return (weights[0] * excess['skip'] + weights[1] * excess['conv'] + weights[1] * excess['pool'] -
            weights[2] * depth / 2)


@pytest.mark.parametrize('threshold', [.2, .4, .9])
@pytest.mark.parametrize('weights', [(.01, .005, .005), (1., 0., 0.), (0., 1., 0.), (0., 0., 1.)], ids=str)
def test_regularization_is_the_plain_loop(weights, threshold, device):
    space = supernet(temperature=(1., .1), regularization=weights, threshold=threshold).to(device)
    for seed, fraction in ((0, 0.), (1, .5), (2, 1.)):
        space.set_progress(Progress(0, 10, 0, fraction))
        alphas = moved(alphas_of(seed, 2.), device)
        loss = space.architecture_loss(alphas)
        expected = plain_regularization(space.importance(alphas), weights, threshold)
        torch.testing.assert_close(loss, torch.as_tensor(expected, device=device), rtol=1e-12, atol=1e-15)
        actual = torch.autograd.grad(loss, list(alphas.values()), allow_unused=True, materialize_grads=True)
        wanted = torch.autograd.grad(expected, list(alphas.values()), allow_unused=True, materialize_grads=True)
        for a, b in zip(actual, wanted, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-15)


def test_regularization_pushes_where_it_should():
    """Down every operation above its share, but up the convolutions of the path."""
    probabilities = {kind: torch.full((14, 8), .5, dtype=torch.float64, requires_grad=True) for kind in CELLS}
    path_depth_regularization(probabilities, (.01, .005, .005), .2).backward()
    path = [0 + 1, 2 + 2, 5 + 3, 9 + 4]
    gradient = probabilities['normal'].grad
    assert (gradient[:, :4] > 0).all()
    assert (gradient[path, 4:] < 0).all()
    others = [edge for edge in range(14) if edge not in path]
    assert (gradient[others, 4:] > 0).all()
    assert gradient[others[0], 3].item() == pytest.approx(.01 / 28)
    assert gradient[others[0], 1].item() == pytest.approx(.005 / 56)
    assert gradient[others[0], 4].item() == pytest.approx(.005 / 140)
    assert gradient[path[0], 4].item() == pytest.approx(.005 / 140 - .005 / 2 * .5**3 / 4)


def test_switched_off():
    space = supernet(regularization=(0., 0., 0.))
    assert space.architecture_loss(alphas_of()) is None


def test_a_temperature_of_10_saturates_it():
    """Every probability is 1 there: to single precision the gradient is lost, at 1 it is not."""
    sizes = {}
    for temperature in (10., 1.):
        space = supernet(temperature=(temperature, temperature))
        alphas = {kind: torch.zeros(14, 8, requires_grad=True) for kind in CELLS}
        assert (space.importance(alphas)['normal'] == 1).all().item() is (temperature == 10)
        gradient = torch.autograd.grad(space.architecture_loss(alphas), list(alphas.values()))
        sizes[temperature] = max(g.abs().max().item() for g in gradient)
    assert sizes[10.] == 0 and sizes[1.] > 1e-5
