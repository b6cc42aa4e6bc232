"""The random counterpart of derivation: against plain loops over all draws, and against the derived node."""
import itertools

import pytest
import torch

from imtnas_mm.spaces.cells.derivation import strongest_edges, strongest_pairs
from imtnas_mm.spaces.cells.draws import NodeDraw
from imtnas_mm.spaces.cells.layout import COLUMN, EDGES, NODES, NONE, OPERATIONS, incoming

ALL = [OPERATIONS] * 14
RULES = dict(edges=(False, strongest_edges), pairs=(True, strongest_pairs))  # whether it joins operations


def some_weights(seed=0, power=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(14, 8, generator=generator, dtype=torch.float64).softmax(-1) ** power


def two_draws(weights):
    """The probabilities of all ordered draws of two without replacement, {(first, second): probability}."""
    total = sum(weights.values())
    return {(first, second): weights[first] / total * weights[second] / (total - weights[first])
            for first, second in itertools.permutations(weights, 2)}


def plain(weights, node, joins):
    """Each outcome's probability; for DARTS's rule two edges are drawn by their sums, then an operation on each."""
    pairs = {(edge, column): weights[edge, column].item() for edge in incoming(node)
             for column in range(8) if column != COLUMN[NONE]}
    if joins:
        return two_draws(pairs)
    edges = {i: sum(weight for (edge, _), weight in pairs.items() if edge == i) for i in incoming(node)}
    drawn = two_draws(edges)
    return {(a, b): drawn[a[0], b[0]] * pairs[a] / edges[a[0]] * pairs[b] / edges[b[0]]
            for a, b in itertools.permutations(pairs, 2) if a[0] != b[0]}


@pytest.mark.parametrize('rule', RULES)
def test_the_probabilities_are_those_of_two_draws(rule):
    joins, _ = RULES[rule]
    weights = some_weights().requires_grad_()
    for node in (0, 3):
        draw = NodeDraw(node, ALL, joins)
        expected = plain(weights.detach(), node, joins)
        assert list(draw.outcomes) == list(expected)
        torch.testing.assert_close(draw.probabilities(weights), torch.tensor([*expected.values()], dtype=torch.float64),
                                   rtol=1e-12, atol=1e-15)
    assert torch.autograd.gradcheck(NodeDraw(0, ALL, joins).probabilities, weights)


@pytest.mark.parametrize('rule', RULES)
def test_the_likeliest_draw_of_certain_weights_is_the_derived_node(rule):
    joins, derive = RULES[rule]
    weights = some_weights(power=200)
    for node, pairs in enumerate(derive(weights)):
        draw = NodeDraw(node, ALL, joins)
        probabilities = draw.probabilities(weights)
        likeliest = draw.outcomes[int(probabilities.argmax())]
        assert likeliest == tuple((EDGES.index((node, state)), COLUMN[operation]) for operation, state in pairs)
        assert probabilities.max() > .5


def test_weights_of_zero_have_finite_gradients():
    weights = some_weights()
    weights[:, 2:] = 0
    weights[1:3, 1] = 0
    for node, joins in itertools.product(range(NODES), (False, True)):
        leaf = weights.clone().requires_grad_()
        probabilities = NodeDraw(node, ALL, joins).probabilities(leaf)
        gradient, = torch.autograd.grad((probabilities * torch.arange(len(probabilities))).sum(), leaf)
        assert probabilities.isfinite().all() and gradient.isfinite().all()


def test_an_edge_draws_its_candidates_alone():
    candidates = [('none', 'skip_connect')] + [('sep_conv_3x3', 'none')] * 12 + [('none', )]
    assert NodeDraw(0, candidates, False).outcomes == [((0, 3), (1, 4)), ((1, 4), (0, 3))]
    last = {pair for outcome in NodeDraw(3, candidates, False).outcomes for pair in outcome}
    assert last == {(edge, 4) for edge in (9, 10, 11, 12)} | {(13, COLUMN['max_pool_3x3'])}
