"""Rules from weights to cells, by cases worked by hand."""
import math

import pytest
import torch

from imtnas_mm.genotype import load_genotype, save_genotype
from imtnas_mm.spaces import DARTSSupernet, PCDARTSSupernet, PDARTSSupernet, PRDARTSSupernet
from imtnas_mm.spaces.cells.derivation import limit_skips, strongest_edges, strongest_pairs
from imtnas_mm.spaces.cells.layout import EDGES, MAX_POOL, NONE, OPERATIONS, SKIP

SEP3, SEP5, DIL3, DIL5 = OPERATIONS[4:]
AVG_POOL = OPERATIONS[2]


def weights(*entries, base=.01):
    """[14, 8] of ``base`` but for (node, predecessor, operation, weight)."""
    actual = torch.full((14, 8), base)
    for node, state, operation, value in entries:
        actual[EDGES.index((node, state)), OPERATIONS.index(operation)] = value
    return actual


def test_edges_are_in_the_order_of_darts():
    assert list(EDGES) == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (2, 3),
                           (3, 0), (3, 1), (3, 2), (3, 3), (3, 4)]


# --- DARTS ---


def test_two_strongest_edges_each_with_its_strongest_operation():
    nodes = strongest_edges(weights((0, 0, DIL3, .3), (0, 1, SEP5, .4),
                                    (1, 0, SKIP, .2), (1, 1, MAX_POOL, .5), (1, 2, SEP3, .3),
                                    (2, 3, DIL5, .9), (2, 0, AVG_POOL, .8), (2, 1, SEP3, .7),
                                    (3, 4, SEP3, .6), (3, 2, SEP5, .61), (3, 0, SKIP, .1)))
    assert nodes == [[[SEP5, 1], [DIL3, 0]], [[MAX_POOL, 1], [SEP3, 2]], [[DIL5, 3], [AVG_POOL, 0]],
                     [[SEP5, 2], [SEP3, 4]]]


def test_two_strongest_operations_on_one_edge():
    """DARTS takes one of them and the best of another predecessor; PR-DARTS takes both."""
    given = weights((2, 1, SEP3, .9), (2, 1, DIL5, .8), (2, 3, SKIP, .3), (2, 0, SEP5, .2))
    assert strongest_edges(given)[2] == [[SEP3, 1], [SKIP, 3]]
    assert strongest_pairs(given)[2] == [[SEP3, 1], [DIL5, 1]]


def test_none_is_never_taken_whatever_its_weight():
    given = weights((1, 0, NONE, .99), (1, 1, SEP3, .5), (1, 2, DIL3, .4), (1, 0, SKIP, .005))
    assert strongest_edges(given)[1] == [[SEP3, 1], [DIL3, 2]]
    assert strongest_pairs(given)[1] == [[SEP3, 1], [DIL3, 2]]
    full = torch.zeros(14, 8)
    full[:, 0] = 1  # nothing but `none`: still two inputs a node
    assert strongest_edges(full)[3] == [[MAX_POOL, 0], [MAX_POOL, 1]]
    assert strongest_pairs(full)[3] == [[MAX_POOL, 0], [AVG_POOL, 0]]


def test_of_equals_the_first_counts():
    equal = torch.full((14, 8), .125)
    assert strongest_edges(equal) == [[[MAX_POOL, 0], [MAX_POOL, 1]]] * 4
    assert strongest_pairs(equal) == [[[MAX_POOL, 0], [AVG_POOL, 0]]] * 4
    given = weights((2, 3, SEP5, .5), (2, 3, DIL3, .5), (2, 1, SKIP, .5), (2, 2, SEP3, .5))
    assert strongest_edges(given)[2] == [[SKIP, 1], [SEP3, 2]]
    assert strongest_pairs(given)[2] == [[SKIP, 1], [SEP3, 2]]
    given = weights((2, 3, SEP5, .5), (2, 3, DIL3, .5), (2, 0, SKIP, .4))
    assert strongest_edges(given)[2] == [[SEP5, 3], [SKIP, 0]]
    assert strongest_pairs(given)[2] == [[SEP5, 3], [DIL3, 3]]


def test_the_weights_are_left_alone():
    given = weights((0, 0, SKIP, .5), (0, 1, SKIP, .6))
    for rule in (strongest_edges, strongest_pairs, lambda w: limit_skips(w, 0)):
        before = given.clone()
        rule(given)
        assert torch.equal(given, before)


# --- the limit of P-DARTS ---

# five identities, weakest first: edge (3, 4), (1, 2), (0, 1), (2, 0), (2, 3)
FIVE = (
    (0, 0, SEP3, .6), (0, 1, SKIP, .5), (0, 1, DIL3, .45),
    (1, 1, SEP3, .6), (1, 2, SKIP, .4), (1, 2, SEP5, .2), (1, 0, DIL5, .3),
    (2, 0, SKIP, .7), (2, 3, SKIP, .8), (2, 1, AVG_POOL, .3), (2, 0, SEP5, .35),
    (3, 4, SKIP, .35), (3, 4, DIL3, .34), (3, 0, MAX_POOL, .6),
)


def names(nodes):
    return [[f'{name}-{state}' for name, state in node] for node in nodes]


def test_skip_limits():
    given = weights(*FIVE)
    first, second = [f'{SEP3}-0', f'{SKIP}-1'], [f'{SEP3}-1', f'{SKIP}-2']
    third, fourth = [f'{SKIP}-3', f'{SKIP}-0'], [f'{MAX_POOL}-0', f'{SKIP}-4']
    assert names(limit_skips(given, 5)) == names(strongest_edges(given)) == [first, second, third, fourth]
    fourth = [f'{MAX_POOL}-0', f'{DIL3}-4']  # the edge wins with another operation
    assert names(limit_skips(given, 4)) == [first, second, third, fourth]
    second = [f'{SEP3}-1', f'{DIL5}-0']  # another edge enters: .3 of (1, 0) over .2 that is left on (1, 2)
    assert names(limit_skips(given, 3)) == [first, second, third, fourth]
    first = [f'{SEP3}-0', f'{DIL3}-1']  # a first node has no other edges
    assert names(limit_skips(given, 2)) == [first, second, third, fourth]
    third = [f'{SKIP}-3', f'{SEP5}-0']  # .35 of the edge itself over .3 of (2, 1)
    assert names(limit_skips(given, 1)) == [first, second, third, fourth]
    third = [f'{SEP5}-0', f'{AVG_POOL}-1']
    assert names(limit_skips(given, 0)) == [first, second, third, fourth]


def test_an_edge_that_enters_may_be_an_identity_itself():
    """Its weight counts in the next turn."""
    given = weights((1, 0, SEP3, .9), (1, 1, SKIP, .5), (1, 2, SKIP, .4), (1, 2, DIL5, .05), (1, 1, DIL3, .06),
                    (0, 0, SEP3, .5), (0, 1, SEP3, .5), (2, 0, SEP3, .5), (2, 1, SEP3, .5),
                    (3, 0, SEP3, .5), (3, 1, SEP3, .5))
    assert strongest_edges(given)[1] == [[SEP3, 0], [SKIP, 1]]
    assert limit_skips(given, 1)[1] == [[SEP3, 0], [SKIP, 1]]
    assert limit_skips(given, 0)[1] == [[SEP3, 0], [DIL3, 1]]


def test_a_limit_of_none_on_identities_alone():
    """Where an identity is all that an edge has, the zeros are taken in order."""
    given = torch.zeros(14, 8)
    given[:, OPERATIONS.index(SKIP)] = 1
    assert not [name for node in limit_skips(given, 0) for name, _ in node if name == SKIP]
    actual = limit_skips(given, 2)
    assert sum(name == SKIP for node in actual for name, _ in node) == 2


def test_the_limit_is_of_normal_cells():
    supernet = PDARTSSupernet(channels=4, layers=3, skip_limit=1)
    rows = weights(*FIVE, base=1e-9)
    rows[:, 0] = 1.5 - rows.sum(1)  # so that all sum to the same, and softmax gives them back
    alphas = {kind: rows.log() for kind in ('normal', 'reduce')}
    architecture = supernet.derive(alphas).architecture
    many = {kind: sum(name == SKIP for node in nodes for name, _ in node) for kind, nodes in architecture.items()}
    assert many == dict(normal=1, reduce=5)
    unlimited = PDARTSSupernet(channels=4, layers=3, skip_limit=None).derive(alphas).architecture
    assert unlimited['normal'] == unlimited['reduce']


# --- supernets ---


def test_derived_by_softmaxed_weights():
    """An edge whose logits are all large is no stronger for it."""
    alphas = {kind: torch.zeros(14, 8) for kind in ('normal', 'reduce')}
    alphas['normal'][EDGES.index((2, 1))] = 9.
    alphas['normal'][EDGES.index((2, 2)), 4] = 1.
    alphas['normal'][EDGES.index((2, 3)), 5] = 2.
    genotype = DARTSSupernet(channels=4, layers=3).derive(alphas)
    assert genotype.architecture['normal'][2] == [[SEP5, 3], [SEP3, 2]]
    row = genotype.importance['normal'][EDGES.index((2, 3))]
    assert row[5] == pytest.approx(math.exp(2) / (math.exp(2) + 7))
    # a strong `none` weakens the rest of its edge
    alphas['normal'][EDGES.index((2, 3)), 0] = 5.
    genotype = DARTSSupernet(channels=4, layers=3).derive(alphas)
    assert genotype.architecture['normal'][2] == [[SEP3, 2], [MAX_POOL, 0]]


def test_edge_weights_of_pc_darts_reverse_the_order_of_alphas():
    supernet = PCDARTSSupernet(part=2, channels=4, layers=3)
    alphas = {name: torch.zeros(shape) for name, shape in supernet.alpha_shapes().items()}
    for state, (column, value) in enumerate([(3, 3.), (4, 2.), (5, 1.)]):
        alphas['normal'][EDGES.index((1, state)), column] = value
    assert supernet.derive(alphas).architecture['normal'][1] == [[SKIP, 0], [SEP3, 1]]
    alphas['normal_edges1'] = torch.tensor([-2., 0., 2.])
    # e^a / (e^a + 7) * softmax: .0119 (skip-0), .060 (sep3-1), .24 (sep5-2)
    assert supernet.derive(alphas).architecture['normal'][1] == [[SEP5, 2], [SEP3, 1]]
    assert supernet.derive(alphas).architecture['reduce'][1] == [[MAX_POOL, 0], [MAX_POOL, 1]]


def test_pr_darts_takes_pairs_by_activation_probability():
    supernet = PRDARTSSupernet(channels=4, layers=3)
    alphas = {kind: weights((3, 2, SEP3, 2.), (3, 2, SKIP, 1.), (3, 4, DIL5, 1.5), base=0.)
              for kind in ('normal', 'reduce')}
    alphas['normal'][EDGES.index((3, 2))] += 1.  # not a softmax: a whole edge may be stronger
    genotype = supernet.derive(alphas)
    assert genotype.architecture['normal'][3] == [[SEP3, 2], [SKIP, 2]]
    assert genotype.architecture['reduce'][3] == [[SEP3, 2], [DIL5, 4]]
    actual = genotype.importance['reduce'][EDGES.index((3, 2))][4]
    assert actual == pytest.approx(1 / (1 + math.exp(-2 - .1 * math.log(11))), rel=1e-5)  # tau at the end is .1


@pytest.mark.parametrize('supernet', [
    DARTSSupernet(channels=4, layers=3),
    PDARTSSupernet(channels=4, layers=3),
    PDARTSSupernet(channels=4, layers=3, skip_limit=0,
                   candidates={kind: [OPERATIONS[:3]] * 7 + [OPERATIONS[2:5]] * 7 for kind in ('normal', 'reduce')}),
    PDARTSSupernet(channels=4, layers=3, candidates={kind: [(SKIP, )] * 14 for kind in ('normal', 'reduce')}),
    PCDARTSSupernet(part=2, channels=4, layers=3),
    PRDARTSSupernet(channels=4, layers=3),
], ids=['darts', 'pdarts', 'pdarts3', 'pdarts1', 'pcdarts', 'prdarts'])
def test_all_derived_are_valid(supernet, tmp_path):
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        alphas = {name: torch.randn(shape, generator=generator) * seed for name, shape in
                  supernet.alpha_shapes().items()}
        genotype = supernet.derive(alphas)
        assert genotype.space == supernet.name
        save_genotype(genotype, tmp_path / 'found.json')
        assert load_genotype(tmp_path / 'found.json') == genotype
        assert genotype.importance is not None
