"""The term for the cost of the architecture: its tables, its targets, and its place in A's gradient."""
import itertools
import re
from dataclasses import replace

import pytest
import torch

from helpers import small_search
from helpers.small_search import build, build_method, iterate, optimisers, stage_batches, val_batches
from imtnas_mm import space_format
from imtnas_mm.algorithms.architecture_step import cost_term
from imtnas_mm.algorithms.architecture_step.cost_term import CostTerm
from imtnas_mm.analysis.complexity import count_macs, count_parameters
from imtnas_mm.analysis.cost_table import CostTable, Macs, cost_table, parameters
from imtnas_mm.analysis.latency_file import write_latency
from imtnas_mm.genotype import GenotypeError
from imtnas_mm.networks.build import build_network
from imtnas_mm.progress import Progress
from imtnas_mm.random_state import Purpose
from imtnas_mm.registry import MODELS

LAYOUT = dict(name='twelve', widths=(8, 16, 24), depths=(4, 4, 4), strides=(1, 2, 2), stem_width=8, first_width=8)
SKIPS = dict(skip_limit=1, candidates={kind: [('none', 'skip_connect', 'sep_conv_3x3', 'dil_conv_5x5')] * 14
                                       for kind in ('normal', 'reduce')})
CELLS = dict(channels=8, layers=3), dict(channels=4, layers=5)
SPACES = {  # options of the supernet, and those of the derived network
    'MBConvSupernet': (dict(layout=LAYOUT), {}),
    'NASBench201Supernet': (dict(channels=4, cells=1), dict(channels=8, cells=2)),
    'DARTSSupernet': CELLS,
    'PDARTSSupernet': (dict(CELLS[0], **SKIPS), CELLS[1]),
    'PCDARTSSupernet': CELLS,
    'PRDARTSSupernet': CELLS,
}
SIZE = 16
START = torch.zeros((), dtype=torch.float64)  # no step of A is done


def some_alphas(space, std=1., seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {name: std * torch.randn(*shape, generator=generator) for name, shape in space.alpha_shapes().items()}


def term_of(name, space=None, **options):
    supernet, network = SPACES[name]
    space = space or MODELS.build(dict(supernet, type=f'imtnas_mm.{name}'))
    if options.get('type', 'MACs') == 'MACs':
        options.setdefault('shape', SIZE)
    return space, CostTerm(space, some_alphas(space), supernet, **{'type': 'MACs', 'network': network, **options})


@pytest.fixture(scope='module', autouse=True)
def tables():
    """The table of a space and a network is made once: one of cells takes seconds."""
    made = {}

    def once(genotype, options, shape, measure):
        key = repr((genotype.space, genotype.architecture.get('layout'), sorted(options.items()), shape,
                    measure if measure is parameters else type(measure)))
        if key not in made:
            made[key] = cost_table(genotype, options, shape, measure)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost_term, 'cost_table', once)
        yield


@pytest.fixture(scope='module', params=SPACES)
def priced(request):
    """The name of a space, its supernet, and its cost without a target."""
    return request.param, *term_of(request.param)


def test_the_sum_of_a_table_is_the_cost_of_the_whole_network(priced):
    name, space, macs = priced
    _, parameters = term_of(name, space, type='Parameters')
    for seed in range(3):
        alphas = some_alphas(space, seed=seed)
        network = build_network(space.derive(alphas), **SPACES[name][1])
        for term, expected in ((macs, count_macs(network, (3, SIZE, SIZE))), (parameters, count_parameters(network))):
            total, parts = term.derived(space, alphas)
            assert total == expected == term.table.fixed + sum(parts)
            assert term.range[0] <= total <= term.range[1]


def test_the_expected_cost_is_that_of_drawn_architectures(priced):
    """By the outcomes of each decision; where the draws of rows are certain, by the derived architecture."""
    name, space, term = priced
    alphas = some_alphas(space)
    expected = term.table.fixed
    for outcomes, probabilities in zip(space.decisions(), space.decision_probabilities(alphas), strict=True):
        assert len(outcomes) == len(probabilities) and float(probabilities.sum()) == pytest.approx(1., abs=1e-5)
        expected += sum(probability * term.table.sum_of(outcome)
                        for probability, outcome in zip(probabilities.tolist(), outcomes, strict=True))
    assert float(term.expected(term.probabilities(space, alphas))) == pytest.approx(expected, rel=1e-5)
    assert term.range[0] < term.mean < term.range[1]
    if name in ('MBConvSupernet', 'NASBench201Supernet'):
        alphas = {group: 1e3 * alpha for group, alpha in alphas.items()}
        assert float(term.expected(term.probabilities(space, alphas))) == term.derived(space, alphas)[0]


@pytest.mark.parametrize('share', [.5, 1., 1.5])
def test_the_derived_cost_ends_within_five_percent_of_a_target(priced, share):
    """The term alone, from a start near zero or far from it; the target is a share of the mean of what is searched.

    NAS-Bench-201 is too coarse for it: its six edges cost nothing, 1 or 9 units each. Of all architectures that
    differ in one edge, it ends at the nearest.
    """
    name, space, term = priced
    if name == 'PDARTSSupernet':  # its limit of identities keeps cheap architectures out of reach
        space = MODELS.build(dict(SPACES[name][0], skip_limit=None, type='imtnas_mm.PDARTSSupernet'))
    target = term.table.fixed + share * (term.mean - term.table.fixed)
    if not term.range[0] <= target <= term.range[1]:
        low, high = (f'{bound:,.0f}' for bound in term.range)
        with pytest.raises(ValueError, match=f'model.cost.target={target:,} is out of reach: .* {low} to {high} MACs'):
            term_of(name, space, target=target)
        return
    _, term = term_of(name, space, target=target)
    for seed, std in ((0, 1e-3), ) if share == 1 else ((1, 1.), ):
        alphas = {group: alpha.requires_grad_() for group, alpha in some_alphas(space, std, seed).items()}
        optimiser = torch.optim.Adam(alphas.values(), lr=.03, betas=(.5, .999))
        for _ in range(100):
            loss, _ = term(space, alphas, START)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        total, parts = term.derived(space, alphas)
        distance = abs(total / target - 1)
        if name == 'NASBench201Supernet':
            others = (total - torch.tensor(parts)[:, None] + term.costs) / target - 1
            assert distance <= max(.05, float(others.abs().min()) + term.tolerance)
        else:
            assert distance <= .05


# --- the weight of a target -------------------------------------------------------------------------------------------


def pulled(term, space, share, steps=100):
    """The distance of the derived cost from the target if another loss prices the cost at three times the slope."""
    alphas = {group: alpha.requires_grad_() for group, alpha in some_alphas(space, 1e-3).items()}
    optimiser = torch.optim.Adam(alphas.values(), lr=.03, betas=(.5, .999))
    sign = 1 if share < 1 else -1  # away from the target
    for step in range(steps):
        loss, _ = term(space, alphas, START + step / (steps - 1))
        loss = loss - sign * 3 * term.expected(term.probabilities(space, alphas)) / term.target
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return abs(term.derived(space, alphas)[0] / term.target - 1)


@pytest.mark.parametrize('share', [.6, 1.4])
@pytest.mark.parametrize('name', ['MBConvSupernet', 'DARTSSupernet', 'PRDARTSSupernet'])
def test_the_weight_grows_until_the_losses_give_way(name, share):
    space, term = term_of(name)
    target = term.table.fixed + share * (term.mean - term.table.fixed)
    assert term.range[0] <= target <= term.range[1]
    assert pulled(term_of(name, space, target=target, growth=1)[1], space, share) > .1
    assert pulled(term_of(name, space, target=target)[1], space, share) <= .05


def test_the_weight_grows_by_the_share_of_missed_steps():
    """Against a plain sum over steps; further steps of an iteration and a search taken up late don't count twice."""
    _, term = term_of('NASBench201Supernet', target=3e6, weight=2., growth=50.)
    missed = [True, True, False, True, False, True]
    shares = [.2, .2, .2, .5, .8, 1.]  # the first four steps are those of two iterations
    expected = 0.
    for index, (flag, share) in enumerate(zip(missed, shares, strict=True)):
        if index and flag:
            expected += share - shares[index - 1]
        weight = term.grown_weight(torch.tensor(flag), torch.tensor(share, dtype=torch.float64))
        assert float(weight) == pytest.approx(2 * 50 ** expected)
    assert expected == pytest.approx(.3 + .2)
    _, term = term_of('NASBench201Supernet', target=3e6, growth=1)
    for share in (0., .5, 1.):
        assert float(term.grown_weight(torch.tensor(True), torch.tensor(share))) == 1.


def test_the_weight_rests_where_no_decision_brings_the_target_nearer():
    """A cell of four identities and two 3x3 convolutions: below it and above it, costs are 9 units away."""
    name = 'NASBench201Supernet'
    space, free = term_of(name)
    columns = [row for row in range(5) if float(free.costs[0, row]) == 0]
    largest = int(free.costs[0].argmax())
    alphas = {'cell': torch.zeros(6, 5)}
    for edge, column in enumerate([largest, largest, *columns[:1] * 4]):
        alphas['cell'][edge, column] = 5.
    cost = free.derived(space, alphas)[0]
    unit = float(free.costs[0].sort().values[-2])
    for target, grows in ((cost + .4 * unit, False), (cost + .8 * unit, True)):
        _, term = term_of(name, space, target=target, tolerance=0.)
        weights = [float(term(space, alphas, START + share)[1]['cost/weight']) for share in (0., .5, 1.)]
        assert weights == pytest.approx([1., 10., 100.] if grows else [1., 1., 1.])


def test_a_sum_in_another_order_is_not_nearer(tmp_path):
    """Latencies are no whole numbers: without the part of a decision, and with it again, D may differ by rounding."""
    name = 'NASBench201Supernet'
    space = MODELS.build(dict(SPACES[name][0], type=f'imtnas_mm.{name}'))
    write_table(tmp_path / 'a.json', space, SPACES[name][1])
    latency = dict(type='Latency', table=str(tmp_path / 'a.json'), shape=SIZE)
    for seed in range(5):
        alphas = some_alphas(space, seed=seed)
        cost = term_of(name, space, **latency)[1].derived(space, alphas)[0]
        _, term = term_of(name, space, target=cost * (1 + 1e-8), tolerance=0., **latency)
        for share in (0., .5, 1.):
            _, figures = term(space, alphas, START + share)
        assert float(figures['cost/weight']) == 1 and 0 < float(figures['cost/term']) < 1e-6


def test_checkpoints_keep_the_weight():
    torch.manual_seed(0)
    options = dict(transfer=None, hypergradient='first_order', cost=dict(COST, target=2e5),
                   encoder_weights=dict(type='HyperNetwork', stage_std=.1))  # a start from which the target is missed
    model = build(('cls', 'cls2'), 1, **options)
    wrapper = optimisers(model)
    for iteration in range(3):
        model.set_progress(Progress(0, 1, 0, iteration / 2))
        figures = iterate(model, wrapper, iteration)
        if not iteration:
            begun = {name: value.clone() for name, value in model.state_dict().items()}
    assert float(figures['cost/weight']) in (pytest.approx(2 * 10), pytest.approx(2 * 100))  # of the two last steps
    other = build(('cls', 'cls2'), 1, **options)
    other.load_state_dict(begun)
    assert float(other.cost.missed[0]) == 0 and float(other.progress[1]) == 1
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other.cost.missed, model.cost.missed)
    assert 'cost.missed' in model.later_entries


# --- latency ----------------------------------------------------------------------------------------------------------


def write_table(path, space, network, size=SIZE):
    """A file of random latencies, and its table."""
    genotype, image = space.derive(some_alphas(space)), (3, size, size)
    macs = cost_table(genotype, network, image, Macs())
    generator = torch.Generator().manual_seed(0)
    random = torch.rand(len(macs.candidates), generator=generator, dtype=torch.float64).tolist()
    table = CostTable(1.5, dict(zip(macs.candidates, random, strict=True)))
    write_latency(path, genotype.space, image, network, table, macs, [], dict(device='cpu'))
    return table


def test_the_expected_latency_is_that_of_all_architectures(tmp_path):
    """Against the sum over the 15,625 architectures of probability times latency: value and gradient, in float64."""
    supernet, network = SPACES['NASBench201Supernet']
    space = MODELS.build(dict(supernet, type='imtnas_mm.NASBench201Supernet'))
    table = write_table(tmp_path / 'a.json', space, network)
    alphas = {group: alpha.double().requires_grad_() for group, alpha in some_alphas(space).items()}
    _, term = term_of('NASBench201Supernet', space, type='Latency', table=str(tmp_path / 'a.json'), shape=SIZE)
    probabilities, latencies = torch.ones(1, dtype=torch.float64), torch.tensor([table.fixed], dtype=torch.float64)
    for edge, row in enumerate(alphas['cell'].softmax(-1)):
        costs = torch.tensor([table.candidates.get(('cell', edge, column), 0.) for column in range(5)])
        probabilities = (probabilities[:, None] * row).flatten()
        latencies = (latencies[:, None] + costs).flatten()
    assert len(latencies) == 5**6
    plain = (probabilities * latencies).sum()
    loss, figures = term(space, alphas, START)
    torch.testing.assert_close(figures['cost/expected'], plain.detach(), rtol=1e-6, atol=0)
    torch.testing.assert_close(loss, plain / latencies.mean(), rtol=1e-6, atol=0)
    expected, = torch.autograd.grad(plain / latencies.mean(), alphas['cell'])
    gradient, = torch.autograd.grad(loss, alphas['cell'])
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-9)
    best = int(sum(5**(5 - i) * column for i, column in enumerate(alphas['cell'].argmax(-1).tolist())))
    assert float(figures['cost/derived']) == pytest.approx(float(latencies[best]), rel=1e-6)
    low, high = float(latencies.min()), float(latencies.max())
    with pytest.raises(ValueError, match=f'model.cost.target=99.0 is out of reach: .* {low:.3f} ms to {high:.3f} ms '):
        term_of('NASBench201Supernet', space, type='Latency', table=str(tmp_path / 'a.json'), shape=SIZE, target=99.)


def test_a_table_of_other_networks_is_refused(tmp_path):
    supernet, network = SPACES['NASBench201Supernet']
    space = MODELS.build(dict(supernet, type='imtnas_mm.NASBench201Supernet'))
    path = str(tmp_path / 'a.json')
    write_table(path, space, network)
    for name, options, message in (
        ('NASBench201Supernet', {}, 'a.json: image: [16, 16]; it must be [224, 224], as in this search'),
        ('NASBench201Supernet', dict(shape=SIZE, network=dict(channels=4, cells=2)),
         'a.json: network.channels: 8; it must be 4, as in this search'),
        ('NASBench201Supernet', dict(shape=SIZE, network=dict(channels=8)),
         'a.json: network.cells: 2; this search does not set it'),
        ('DARTSSupernet', dict(shape=SIZE), "a.json: space: 'nasbench201'; it must be 'darts', as in this search"),
    ):
        with pytest.raises(GenotypeError, match=re.escape(message)):
            term_of(name, type='Latency', table=path, **options)


# --- in a search -----------------------------------------------------------------------------------------------------

COST = dict(type='MACs', shape=SIZE, weight=2.)


def gradient_of(cost, dtype=torch.float64, **options):
    torch.manual_seed(0)
    model = build(('cls', 'cls2'), 1, dtype=dtype, transfer=None, cost=cost, **options)
    model.start_iteration(0)
    wrapper = optimisers(model)
    for stage, batch in zip(model.stages, stage_batches(model), strict=True):
        model.train_stage(stage, batch, wrapper)
    data = {name: model.preprocess(name, batch, Purpose.VALIDATION, 0) for name, batch in val_batches(model).items()}
    return (model, *model.architecture_gradient([data]))


@pytest.mark.parametrize('hypergradient', ['exact', 'finite_difference', 'first_order'])
def test_the_gradient_of_a_gets_that_of_the_term(hypergradient):
    """For a target above and below the derived cost, and without a target."""
    model, without, figures = gradient_of(None, hypergradient=hypergradient)
    assert not any(name.startswith('cost/') for name in figures)
    alphas = model.architecture.named_alphas()
    term = CostTerm(model.space, alphas, small_search.SPACE, **COST)
    expected = term.expected(term.probabilities(model.space, alphas))
    slope = dict(zip(alphas, torch.autograd.grad(expected, list(alphas.values())), strict=True))
    low, high = term.range  # all outcomes of a decision stay on one side of a target at an end
    for target, factor in ((None, 2 / term.mean), (low, 2 / low), (high, -2 / high)):
        cost = COST if target is None else dict(COST, target=target, tolerance=0.)
        model, gradient, figures = gradient_of(cost, hypergradient=hypergradient)
        for name in alphas:
            torch.testing.assert_close(gradient[name] - without[name], factor * slope[name], rtol=1e-6, atol=1e-9)
            assert slope[name].abs().max() > 0
        assert float(figures['cost/expected']) == pytest.approx(expected.item())
        derived = count_macs(build_network(model.derive()), (3, SIZE, SIZE))
        assert figures['cost/derived'] == derived
        assert float(figures['cost/term']) == pytest.approx(
            2 * (float(expected) / term.mean if target is None else abs(derived / target - 1)))


def test_a_missed_target_is_said_at_the_end():
    torch.manual_seed(0)
    model = build(('cls', ), 1, transfer=None, cost=dict(COST, target=2e5))
    derived = model.cost.derived(model.space, model.architecture.named_alphas())[0]
    for ratio, warns in ((1, False), (1 / 1.04, False), (1 / 1.06, True), (1 / .5, True)):
        model.cost.target = ratio * derived
        warnings = model.final_warnings()
        assert len(warnings) == warns
    assert f'has {derived:,.0f} MACs, 50% off the target of {2 * derived:,.0f}. Raise model.cost.weight' in warnings[0]
    model.cost.tolerance = .6
    assert model.final_warnings() == ()  # the term is 0 there
    model.cost.target = None
    assert build(('cls', ), 1, transfer=None).final_warnings() == model.final_warnings() == ()


def test_the_gradient_near_a_target_is_that_of_one_decision_drawn_anew():
    """Against a plain loop over the decisions and outcomes, each a network of its own."""
    name = 'NASBench201Supernet'
    space, free = term_of(name)
    alphas = {group: alpha.double().requires_grad_() for group, alpha in some_alphas(space).items()}
    target = free.derived(space, alphas)[0] * 1.03
    space, term = term_of(name, space, target=target, weight=3., tolerance=.01)
    loss, _ = term(space, alphas, START)
    assert float(loss) == pytest.approx(3 * (1 - 1 / 1.03 - .01))
    rows = alphas['cell'].softmax(-1)
    plain = 0.
    for row, column in itertools.product(range(6), range(5)):
        changed = alphas['cell'].detach().clone()
        changed[row, column] = 99.
        cost = count_macs(build_network(space.derive(dict(cell=changed)), **SPACES[name][1]), (3, SIZE, SIZE))
        plain = plain + rows[row, column] * max(abs(cost / target - 1) - .01, 0)
    expected, = torch.autograd.grad(3 * plain, alphas['cell'])
    gradient, = torch.autograd.grad(loss, alphas['cell'])
    torch.testing.assert_close(gradient, expected, rtol=1e-10, atol=1e-12)
    assert gradient.abs().max() > 1e-3


def test_a_search_for_latency(tmp_path):
    """The table of its space, in the log and in A's gradient."""
    table = write_table(tmp_path / 'a.json', MODELS.build(small_search.SPACE), {})
    cost = dict(type='Latency', table=str(tmp_path / 'a.json'), shape=SIZE)
    model, gradient, figures = gradient_of(cost, hypergradient='first_order')
    _, without, _ = gradient_of(None, hypergradient='first_order')
    chosen = model.cost.chosen(model.derive().architecture)
    derived = table.fixed + sum(table.candidates.get(candidate, 0.) for candidate in chosen)
    assert float(figures['cost/derived']) == pytest.approx(derived) and derived > table.fixed
    alphas = model.architecture.named_alphas()
    expected = model.cost.expected(model.cost.probabilities(model.space, alphas))
    assert float(figures['cost/expected']) == pytest.approx(expected.item())
    for name, slope in zip(alphas, torch.autograd.grad(expected, list(alphas.values())), strict=True):
        assert slope.abs().max() > 0
        torch.testing.assert_close(gradient[name] - without[name], slope / model.cost.mean, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize('method', ['MTLNAS', 'BMTAS', 'MinibatchInterleaving', 'SeparateInterleaving'])
def test_methods_with_other_choices_or_stages_have_the_term(method):
    model = build_method(method, cost=COST, dtype=torch.float32)
    figures = iterate(model, optimisers(model))
    derived = build_network(model.derive())
    assert model.cost.derived(model.space, model.architecture.named_alphas())[0] == count_macs(derived, (3, SIZE, SIZE))
    assert figures['cost/expected'].isfinite() and figures['cost/term'] > 0
    assert not any('cost' in name for name in model.state_dict())


def test_random_search_says_that_it_has_no_use_for_it(monkeypatch):
    said = []
    monkeypatch.setattr('imtnas_mm.algorithms.unused.print_log', lambda text, *_: said.append(text))
    build_method('RandomSearch', cost=COST)
    assert any("no use for model.cost={'type': 'MACs'" in text for text in said)


@pytest.mark.parametrize('wrong, message', [
    (dict(type='FLOPs'), "model.cost.type='FLOPs' is not one of ('MACs', 'Parameters', 'Latency')"),
    (dict(kind='MACs'), "model.cost has ['kind']; it takes type, target, weight, tolerance, growth, shape, network and "
                        'table'),
    (dict(type='Latency'), "model.cost.table: is missing; type='Latency' needs a file of tools/measure_latency.py"),
    (dict(table='a.json'), "model.cost.table='a.json' is for type='Latency'; MACs are counted"),
    (dict(type='Latency', table='none.json'), 'none.json: '),
    (dict(weight=0), 'model.cost.weight=0 must be a finite number above 0'),
    (dict(target=float('nan')), 'model.cost.target=nan must be a finite number above 0'),
    (dict(shape=(3, 32, 32)), 'model.cost.shape=(3, 32, 32) must be the side of an image, or its (height, width)'),
    (dict(type='Parameters', shape=32), "model.cost.shape=32 is for type='MACs' or 'Latency'; Parameters don't"),
    (dict(tolerance=.1), 'model.cost.tolerance=0.1 is for a target, which model.cost lacks'),
    (dict(growth=2.), 'model.cost.growth=2.0 is for a target, which model.cost lacks'),
    (dict(growth=.5, target=1e7), 'model.cost.growth=0.5 must be at least 1'),
    (dict(tolerance=-1, target=1e7), 'model.cost.tolerance=-1 must be a finite number from 0 on'),
    (dict(target=10), 'model.cost.target=10 is out of reach: an architecture of nasbench201 has'),
    (dict(target=1e15), 'model.cost.target=1,000,000,000,000,000.0 is out of reach'),
])
def test_a_wrong_option_is_refused(wrong, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        term_of('NASBench201Supernet', **wrong)


def test_a_space_without_costs_is_refused(monkeypatch):
    monkeypatch.setattr(cost_term, 'cost_table', cost_table)
    plain = replace(space_format.format_of('nasbench201'), cost=None)
    monkeypatch.setitem(space_format._formats, 'nasbench201', plain)
    with pytest.raises(ValueError, match='model.cost: the space nasbench201 counts no costs: its SpaceFormat has no'):
        term_of('NASBench201Supernet')
