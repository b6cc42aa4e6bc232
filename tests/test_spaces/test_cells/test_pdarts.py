"""Phases of P-DARTS: candidates and the dropout of identities."""
import math

import pytest
import torch
from torch.func import functional_call

from imtnas_mm.progress import Progress
from imtnas_mm.spaces import PDARTSSupernet
from imtnas_mm.spaces.cells import edges as module
from imtnas_mm.spaces.cells.layout import CELLS, EDGES, NONE, OPERATIONS, SKIP
from imtnas_mm.spaces.cells.pdarts import skip_dropout_rate, strongest_candidates
from imtnas_mm.spaces.cells.plan import CellPlan, Mixture
from imtnas_mm.spaces.cells.weights import side_by_side

LAST = len(OPERATIONS) - 1


def supernet(rate=.4, **options):
    return PDARTSSupernet(**dict(dict(channels=4, layers=3, skip_dropout=rate), **options)).double()


def identities_alone(space, kinds=CELLS):
    """Gates 1 for identities in those kinds of cell, 3x3 separable convolutions in the others."""
    actual = {}
    for kind in CELLS:
        gates = torch.zeros(14, 8, dtype=torch.float64)
        gates[:, OPERATIONS.index(SKIP if kind in kinds else 'sep_conv_3x3')] = 1
        actual[f'gates.{kind}'] = gates
    return actual


def progress(epoch, max_epochs=25, warmup_epochs=10):
    return Progress(epoch, max_epochs, warmup_epochs, epoch / max_epochs)


# --- the rate ---


@pytest.mark.parametrize('epoch, expected', [
    (0, .7 * 24 / 25), (1, .7 * 23 / 25), (9, .7 * 15 / 25),  # A is frozen
    (10, .7), (11, .7 * math.exp(-.2)), (15, .7 * math.exp(-1)), (24, .7 * math.exp(-2.8)),
])
def test_rate_by_hand(epoch, expected):
    assert skip_dropout_rate(.7, progress(epoch)) == pytest.approx(expected, rel=1e-12)
    space = supernet(.7)
    assert space.skip_dropout == 0
    space.set_progress(progress(epoch))
    assert space.mixtures()['normal'].skip_dropout == pytest.approx(expected, rel=1e-12)
    assert space.mixtures()['reduce'].skip_dropout == pytest.approx(expected, rel=1e-12)
    space.set_progress(None)
    assert space.mixtures()['normal'].skip_dropout == 0


def test_rate_of_nothing():
    assert skip_dropout_rate(0., progress(3)) == skip_dropout_rate(0., progress(12)) == 0


def test_switched_off():
    space = supernet()
    space.set_progress(progress(10))
    with pytest.raises(KeyError), space.deterministic():
        assert space.mixtures()['normal'].skip_dropout == 0
        raise KeyError
    assert space.mixtures()['normal'].skip_dropout == .4  # whatever happened inside
    space.eval()
    assert space.mixtures()['normal'].skip_dropout == 0
    x, gates = torch.randn(2, 3, 8, 8, dtype=torch.float64), identities_alone(space)
    outside = functional_call(space, gates, (x, ))[0]
    space.train()
    with space.deterministic():
        inside = functional_call(space, gates, (x, ))[0]
    assert torch.equal(outside, inside)
    assert not torch.equal(functional_call(space, gates, (x, ))[0], inside)


# --- what is dropped ---


def group(stride, rate):
    """The edges of the inputs of a cell, with all gates of identities 1: states -> what comes to each node."""
    norm = supernet().cells[0].groups[0].norm
    edges = module.EdgeGroup((0, 1), stride, 4, [OPERATIONS] * 14, norm).double()
    gates = torch.zeros(14, 8, dtype=torch.float64)
    gates[:, OPERATIONS.index(SKIP)] = 1
    chosen = [[name == SKIP for name in OPERATIONS]] * 14
    mixture = Mixture(CellPlan([OPERATIONS] * 14, stride, chosen, drops=True), gates, rate)

    def run(*states):
        sums = module.NodeSums()
        kernels = [list(map(side_by_side, edges.kernels(plan))) if i == 0 else [[]] * len(plan.bundles)
                   for i, plan in enumerate(mixture.plan.groups)]
        edges(list(states), mixture.of(4, kernels, *mixture.tensors(4))[0], sums)
        return sums.pieces if stride == 1 else [[sums.take()] for _ in range(4)]

    return run


def test_identities_of_stride_1_are_dropped_each_by_itself():
    rate, x = .3, torch.ones(2, 4, 20, 20, dtype=torch.float64)
    nodes = group(1, rate)(x, 2 * x)
    masks = [part for node in nodes for part in node]
    assert len(masks) == 8
    for i, part in enumerate(masks):
        kept = (1. if i % 2 == 0 else 2.) / (1 - rate)
        assert part.unique().tolist() == pytest.approx([0., kept])
        assert (part == 0).double().mean().item() == pytest.approx(rate, abs=4 * math.sqrt(.21 / x.numel()))
    masks = torch.stack([part.reshape(-1) != 0 for part in masks]).double()
    correlation = torch.corrcoef(masks) - torch.eye(8)
    assert correlation.abs().max() < 4 / math.sqrt(x.numel())


def test_reductions_are_not_dropped():
    run, x = group(2, .9), torch.randn(2, 4, 8, 8, dtype=torch.float64)
    first, second = run(x, x), run(x, x)
    for a, b in zip(first, second, strict=True):
        assert torch.equal(sum(a), sum(b)) and a[0].any()


def test_only_identities_are_dropped():
    """With gates of zero for identities, dropout changes nothing."""
    space = supernet(.9)
    space.set_progress(progress(10))
    gates = {f'gates.{kind}': torch.rand(14, 8, dtype=torch.float64) for kind in CELLS}
    for gate in gates.values():
        gate[:, OPERATIONS.index(SKIP)] = 0
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    actual = functional_call(space, gates, (x, ))[0]
    with space.deterministic():
        torch.testing.assert_close(actual, functional_call(space, gates, (x, ))[0], rtol=1e-10, atol=1e-10)


def test_expectation_is_kept():
    x, run = torch.full((2, 4, 6, 6), 3., dtype=torch.float64), group(1, .6)
    total = sum(part.mean() for _ in range(100) for node in run(x, x) for part in node) / 800
    samples = 800 * x.numel()
    assert total.item() == pytest.approx(3, abs=4 * 3 * math.sqrt(.6 / .4 / samples))


def test_gradients_of_dropped_identities():
    """Of what is kept, by the rate; the gate's is the sum over what is kept."""
    x = torch.ones(1, 4, 6, 6, dtype=torch.float64, requires_grad=True)
    nodes = group(1, .5)(x, torch.zeros_like(x))
    part = nodes[0][0]
    actual, = torch.autograd.grad(part.sum(), x)
    assert torch.equal(actual, part.detach())


# --- candidates ---


def test_strongest_candidates_by_hand():
    candidates = [OPERATIONS] * 13 + [OPERATIONS[::-1]]
    rows = torch.zeros(14, 8)
    rows[1, [6, 2, 4]] = torch.tensor([.5, .3, .2])
    rows[2, [0, 7]] = torch.tensor([.9, .1])  # `none` is a candidate as others are
    rows[3, [5, 6, 7, 1]] = .25  # ties
    kept = strongest_candidates(rows, candidates, 3)
    assert kept[0] == OPERATIONS[:3]  # all equal: the first
    assert kept[1] == (OPERATIONS[2], OPERATIONS[4], OPERATIONS[6])  # in their order, not that of weights
    assert kept[2] == (NONE, OPERATIONS[1], OPERATIONS[7])
    assert kept[3] == (OPERATIONS[1], OPERATIONS[5], OPERATIONS[6])
    assert kept[13] == OPERATIONS[:4:-1]


def test_phases_8_5_3_1():
    """Each phase keeps the strongest of what the last one had."""
    options = dict(channels=4, layers=3)
    space, strength = PDARTSSupernet(**options), torch.randn(2, 14, 8)
    whole = sum(p.numel() for p in space.parameters())
    for number in (5, 3, 1):
        alphas = {kind: torch.stack([
            torch.stack([strength[i, edge, OPERATIONS.index(name)] for name in names])
            for edge, names in enumerate(space.candidates()[kind])]) for i, kind in enumerate(CELLS)}
        kept = space.next_candidates(alphas, number)
        for i, kind in enumerate(CELLS):
            for edge, names in enumerate(kept[kind]):
                strongest = strength[i, edge].topk(number).indices.sort().values.tolist()
                assert names == tuple(OPERATIONS[column] for column in strongest)
        space = PDARTSSupernet(candidates=kept, **options)
        assert space.alpha_shapes() == {kind: (14, number) for kind in CELLS}
        assert sum(p.numel() for p in space.parameters()) < whole
        assert space(torch.randn(2, 3, 8, 8))[0].shape == (2, 64, 2, 2)
    architecture = space.derive({kind: torch.zeros(14, 1) for kind in CELLS}).architecture
    for i, kind in enumerate(CELLS):
        for node, pairs in enumerate(architecture[kind]):
            for name, state in pairs:
                left = OPERATIONS[strength[i, EDGES.index((node, state))].argmax()]
                assert name == left or NONE == left or (kind == 'normal' and left == SKIP)


def test_candidates_of_a_config_may_be_lists_in_any_order():
    names = [['skip_connect', 'none', 'dil_conv_5x5']] * 14
    space = PDARTSSupernet(candidates=dict(normal=names, reduce=names), channels=4, layers=3)
    assert space.candidates()['normal'][0] == (NONE, SKIP, 'dil_conv_5x5')
    gates = space.gate_tensors({kind: torch.tensor([[0., 1., 2.]]).expand(14, 3) for kind in CELLS}, {})
    mixture = functional_mixture(space, gates)
    row = torch.tensor([0., 1., 2.]).softmax(0)
    assert mixture.gates[5, [0, 3, LAST]].tolist() == pytest.approx(row.tolist())
    assert mixture.gates[5].sum().item() == pytest.approx(1)


def functional_mixture(space, gates):
    for name, gate in gates.items():
        setattr(space.gates, name.removeprefix('gates.'), gate)
    return space.mixtures()['normal']


@pytest.mark.parametrize('change, message', [
    (dict(normal=[['none']] * 14), r"\['normal'\]"),
    (dict(normal=[['none']] * 13, reduce=[['none']] * 14), 'candidates.normal has 13 edges'),
    (dict(normal=[['none']] * 14, reduce=[['conv']] * 14), r"candidates.reduce\[0\]=\['conv'\]"),
    (dict(normal=[['none']] * 13 + [['none', SKIP]], reduce=[['none']] * 14), r'candidates.normal\[13\]'),
    (dict(normal=[['none', 'none']] * 14, reduce=[['none']] * 14), r'candidates.normal\[0\].*2 different'),
    (dict(normal=[[]] * 14, reduce=[['none']] * 14), r'candidates.normal\[0\]'),
], ids=str)
def test_bad_candidates(change, message):
    with pytest.raises(ValueError, match=message):
        PDARTSSupernet(candidates=change, channels=4, layers=3)
