"""Blocks that are computed again: the same derivatives, first and second, and what is kept between them."""
import weakref

import pytest
import torch
from torch.func import functional_call

from helpers.devices import moved
from helpers.small_search import CELLS, SPACE, TRANSFER, build, iterate, optimisers, stage_batches
from imtnas_mm.layers.recompute import recomputed, recomputed_module
from imtnas_mm.progress import Progress
from imtnas_mm.spaces import DARTSSupernet, MBConvSupernet, PCDARTSSupernet, PDARTSSupernet, PRDARTSSupernet

SPACES = dict(
    mbconv=lambda: MBConvSupernet(**{k: v for k, v in SPACE.items() if k != 'type'}),
    two_path=lambda: MBConvSupernet(estimator='two_path', **{k: v for k, v in SPACE.items() if k != 'type'}),
    darts=lambda: DARTSSupernet(channels=4, layers=3),
    pcdarts=lambda: PCDARTSSupernet(channels=8, layers=3),
    pdarts=lambda: PDARTSSupernet(channels=4, layers=3, skip_dropout=.3),
    prdarts=lambda: PRDARTSSupernet(channels=4, layers=3),
)


class Kept:
    """A tensor that a graph keeps."""

    def __init__(self, tensor):
        self.tensor = tensor


def derivatives(space, gates, x, adjoint):
    """Of a loss by images, gates and weights, and of <adjoint, d loss / d weights> by all of them."""
    weights = {name: p.detach().requires_grad_() for name, p in space.named_parameters()}
    leaves = [x.detach().requires_grad_(), *(gate.detach().requires_grad_() for gate in gates.values())]
    torch.manual_seed(7)
    features = functional_call(space, {**weights, **dict(zip(gates, leaves[1:], strict=True))}, (leaves[0], ))[-1]
    loss = features.square().mean() + features.mean((2, 3)).sin().sum()
    targets = [*leaves, *weights.values()]
    first = torch.autograd.grad(loss, targets, create_graph=True, allow_unused=True, materialize_grads=True)
    inner = first[len(leaves):]
    product = sum((a * g).sum() for a, g in zip(adjoint, inner, strict=True))
    second = torch.autograd.grad(product, targets, allow_unused=True, materialize_grads=True)
    return [loss.detach(), *(g.detach() for g in first), *second]


@pytest.mark.parametrize('name', SPACES)
def test_derivatives_are_the_same(name, device):
    torch.manual_seed(0)
    space = SPACES[name]().double()
    space.set_progress(Progress(0, 4, 2, 0.))
    alphas = {n: torch.randn(shape, dtype=torch.float64) for n, shape in space.alpha_shapes().items()}
    gates = moved(space.gate_tensors(alphas, space.draw(alphas, torch.Generator().manual_seed(1))), device)
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64).to(device)
    adjoint = moved([torch.randn_like(p) for p in space.parameters()], device)
    space.to(device)
    kept = derivatives(space, gates, x, adjoint)
    space.recompute = True
    for actual, expected in zip(derivatives(space, gates, x, adjoint), kept, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12 * max(1., expected.abs().max().item()))
    assert sum(bool(g.any()) for g in kept) > len(kept) / 3  # two paths of seven have gradients


def test_nothing_within_a_block_is_kept():
    """Neither for the first derivative nor between it and the second; without recomputation much is."""
    held = {}
    for recompute in (False, True):
        torch.manual_seed(0)
        space = DARTSSupernet(channels=4, layers=3)
        space.recompute = recompute
        x = torch.randn(8, 3, 16, 16)
        weights = {name: p.detach().requires_grad_() for name, p in space.named_parameters()}
        live = weakref.WeakSet()

        def pack(tensor, live=live):
            kept = Kept(tensor)
            live.add(kept)
            return kept

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor):
            loss = functional_call(space, weights, (x, ))[0].square().mean()
            first = torch.autograd.grad(loss, list(weights.values()), create_graph=True, allow_unused=True)
        # not the weights, whose kernels are of odd width
        maps = {kept.tensor.data_ptr(): kept.tensor.untyped_storage().nbytes() for kept in live
                if kept.tensor.dim() == 4 and kept.tensor.shape[3] % 2 == 0}
        held[recompute] = sum(maps.values())
        assert first[0] is not None  # with its graph
    assert held[True] < .1 * held[False], held


def test_random_numbers_of_a_block_are_drawn_again():
    x = torch.randn(1000, requires_grad=True)

    def drop(x):
        return torch.nn.functional.dropout(x, .5).sum()

    torch.manual_seed(3)
    expected, = torch.autograd.grad(drop(x), x)
    torch.manual_seed(3)
    y = recomputed(drop, x, draws=True)
    after = torch.rand(1)
    torch.manual_seed(99)
    actual, = torch.autograd.grad(y, x)
    assert torch.equal(actual, expected) and 0 < (actual == 0).sum() < 1000
    torch.manual_seed(3)
    drop(x)
    assert torch.equal(after, torch.rand(1))


def test_autocast_is_that_of_the_first_pass():
    seen = []
    linear = torch.nn.Linear(4, 4)

    def run(module, x):
        y = module(x)
        seen.append(y.dtype)
        return y.float().square().sum()

    x = torch.randn(3, 4, requires_grad=True)
    with torch.autocast('cpu', torch.bfloat16):
        y = recomputed_module(linear, run, x)
    torch.autograd.grad(y, [x, *linear.parameters()])
    assert seen == [torch.bfloat16, torch.bfloat16]


def test_a_third_derivative_raises():
    x = torch.tensor(2., requires_grad=True)
    y = recomputed(lambda x: x**4, x)
    first, = torch.autograd.grad(y, x, create_graph=True)
    second, = torch.autograd.grad(first, x, create_graph=True)
    assert first.item() == 32 and second.item() == 48
    with pytest.raises(RuntimeError):
        torch.autograd.grad(second, x)


def test_without_derivatives_a_block_runs_once():
    calls = []
    recomputed(lambda x: calls.append(0) or x, torch.ones(2))
    with torch.no_grad():
        recomputed(lambda x: calls.append(0) or x, torch.ones(2, requires_grad=True))
    assert len(calls) == 2


@pytest.mark.parametrize('space', ['mbconv', 'cells'])
def test_a_search_is_the_same(space, monkeypatch):
    """A's exact gradient and all weights after an iteration with every transfer active."""
    from imtnas_mm.spaces import base
    seen = []
    plain = base.recomputed_module
    monkeypatch.setattr(base, 'recomputed_module', lambda *a, **k: seen.append(0) or plain(*a, **k))
    states, passes = {}, {}
    for choice in ('none', 'views', 'all'):
        seen.clear()
        torch.manual_seed(0)
        options = dict(order=('cls', 'det')) if space == 'mbconv' else dict(order=('cell', 'cell2'), space=CELLS)
        model = build(transfer=dict(TRANSFER, threshold=.05), recompute=choice,
                      encoder_weights=dict(type='HyperNetwork', stage_std=1.), rounds=1, **options)
        torch.manual_seed(4)  # of data whose transfer is active
        iterate(model, optimisers(model))
        assert all(record.active for record in model.records[1:])
        states[choice], passes[choice] = model.state_dict(), len(seen)
    for choice in ('views', 'all'):
        for name, value in states['none'].items():
            torch.testing.assert_close(states[choice][name], value, rtol=1e-10, atol=1e-12, msg=f'{choice} {name}')
    assert 0 == passes['none'] < passes['views'] < passes['all']


def test_an_unknown_choice_is_refused():
    with pytest.raises(ValueError, match=r"model.recompute='cells' is not one of \('none', 'views', 'all'\)"):
        build(recompute='cells')
    assert stage_batches(build(recompute='all'))
