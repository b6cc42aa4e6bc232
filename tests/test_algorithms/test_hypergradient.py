"""The sweep against one graph of the whole chain, central differences, DARTS's formula and a problem by hand."""
import pytest
import torch
from mmengine.model import BaseModel, BaseModule
from torch import nn

from helpers import small_search
from helpers.differentiable_once import Once, OnceModule
from helpers.small_search import CELLS, TRANSFER, build, iterate, optimisers, stage_batches, val_batches
from helpers.whole_graph import StepsOfV, validation_loss, whole_graph_gradient
from imtnas_mm.algorithms.stages import task_pullbacks
from imtnas_mm.chain import GradientStep, SecondDerivativeError
from imtnas_mm.genotype import Genotype
from imtnas_mm.progress import Progress
from imtnas_mm.random_state import Purpose
from imtnas_mm.registry import MODELS
from imtnas_mm.spaces import SearchSpace
from imtnas_mm.transfer import KnowledgeTransfer, TransferLoss

RATES = dict(encoder=.3, head=.2)
ORDERS = {1: ('cls', ), 2: ('cls', 'det'), 3: ('cls', 'det', 'cls2')}
STORED = dict(type='StoredWeights')
HYPER = dict(type='HyperNetwork', stage_std=.5)


def flat(gradient):
    return torch.cat([g.reshape(-1) for g in gradient.values()])


def error(actual, expected):
    return ((flat(actual) - flat(expected)).norm() / flat(expected).norm()).item()


def after_stages(order=('cls', 'det'), rounds=2, seed=1, smooth=False, make_optimisers=optimisers, **options):
    """A search after the weight stages of an iteration, and all the gradient of A depends on.

    ``smooth`` puts SiLU for every ReLU and ReLU6: differences converge where gradients have no jumps.
    """
    options = dict(dict(loss_normalization='none', virtual_rates=RATES, architecture=dict(init_std=.5)), **options)
    model = build(order, rounds, **options)
    model.set_progress(Progress(2, 4, 0, .5))
    if smooth:
        for task in model.tasks.values():
            for child in task.template.modules():
                if isinstance(getattr(child, 'activate', None), (nn.ReLU, nn.ReLU6)):
                    child.activate = nn.SiLU()
    optim_wrapper = make_optimisers(model)
    torch.manual_seed(seed)
    if 'weights' in dict(model.encoder_weights.named_children()):  # stored: unlike encoders, so that they disagree
        with torch.no_grad():
            for weights in model.encoder_weights.weights:
                weights += .5 * (model.first_task.layout.scale * torch.randn(len(weights))).to(weights)
    batches, val = stage_batches(model), val_batches(model)
    model.start_iteration(0)
    for stage, batch in zip(model.stages, batches, strict=True):
        model.train_stage(stage, batch, optim_wrapper)
    model.settle()
    data = {name: model.tasks[name].preprocess(batch, True) for name, batch in val.items()}
    prepared = [(r.data, None if r.examples is None else model.transfer_views(r)) for r in model.records]
    return model, prepared, data


def active_chain(least=3, **options):
    """At least so many of the three transfers of this chain are active."""
    options = dict(dict(encoder_weights=HYPER, transfer=dict(TRANSFER, threshold=.05)), **options)
    for seed in range(30):
        model, prepared, data = after_stages(seed=seed, **options)
        if sum(r.active for r in model.records[1:]) >= least:
            return model, prepared, data
    raise AssertionError('no seed with so many active stages')


def gradient(model, data, mode):
    model.hypergradient = mode
    return model.architecture_gradient([data])[0]


# both kinds of weights with both estimators that are differentiable in A, and each of them on short and long chains
CHAINS = [(1, 1, HYPER, 'two_path'), (2, 1, STORED, 'softmax'), (2, 2, HYPER, 'softmax'), (2, 2, HYPER, 'two_path'),
          (2, 2, STORED, 'softmax'), (2, 2, STORED, 'two_path'), (3, 2, HYPER, 'softmax'), (2, 3, STORED, 'two_path')]


@pytest.mark.parametrize('k, m, weights, estimator', CHAINS,
                         ids=[f'K{k}-M{m}-{w["type"]}-{e}' for k, m, w, e in CHAINS])
def test_exact_is_the_whole_graphs_gradient(k, m, weights, estimator):
    model, prepared, data = after_stages(ORDERS[k], m, encoder_weights=weights, space=dict(estimator=estimator))
    if k == 3:  # both branches of the sweep
        assert {r.active for r in model.records[1:]} == {True, False}
    loss, expected = whole_graph_gradient(model, prepared, data, RATES.values())
    actual = gradient(model, data, 'exact')
    assert error(actual, expected) < 1e-10
    assert error(gradient(model, data, 'first_order'), expected) > 1e-3  # the chain matters here


@pytest.mark.parametrize('mode, norm', [('exact', 'BN'), ('finite_difference', 'GN')])
def test_the_whole_graphs_gradient_through_the_statistic_relative_to_the_teacher(mode, norm):
    """Through the units that all sets of a batch determine, and the teacher's median."""
    transfer = {name: value for name, value in TRANSFER.items() if name not in ('statistic', 'threshold')}
    space = dict(norm_cfg=dict(type='GN', num_groups=2)) if norm == 'GN' else {}
    model, prepared, data = active_chain(
        1, transfer=transfer, encoder_weights=STORED, space=space, smooth=mode != 'exact')
    assert all(record.needed is None for record in model.records)
    _, expected = whole_graph_gradient(model, prepared, data, RATES.values())
    assert error(gradient(model, data, mode), expected) < (1e-10 if mode == 'exact' else 1e-5)


# --- steps in V ---

ALL_OF_SGD = dict(momentum=True, weight_decay=True, clip_grad=True)
# the grid of CHAINS; V is the same for all stages, or the optimiser steps it between them
V_CHAINS = [(1, 1, 'iteration', {}), (2, 1, 'stage', dict(momentum=.8, weight_decay=.02, max_norm=.5)),
            (2, 2, 'iteration', dict(momentum=.8, dampening=.3, weight_decay=.02, max_norm=.5)),
            (3, 2, 'stage', dict(momentum=.8, dampening=.3, weight_decay=.02)),
            (2, 3, 'stage', dict(momentum=.8, nesterov=True, weight_decay=.02, max_norm=.5))]


def chain_of_v(k, m, hypernetwork_step, sgd=None, lr_mult=None, **options):
    """A search that steps V, see :func:`after_stages`, and the oracle of its steps.

    Args:
        sgd (dict): options of the encoder's SGD, and ``max_norm`` of its clipping. Its momentum has a buffer.
        lr_mult (dict, optional): of parameters of V by name.
    """
    sgd, steps = dict(sgd or {}), []
    clip = dict(clip_grad=dict(max_norm=sgd['max_norm'])) if 'max_norm' in sgd else {}
    mult = dict(paramwise_cfg=dict(custom_keys={n: dict(lr_mult=x) for n, x in lr_mult.items()})) if lr_mult else {}
    of_sgd = {name: value for name, value in sgd.items() if name != 'max_norm'}

    def make_optimisers(model):
        wrapper = optimisers(model, encoder=dict(
            optimizer=dict(type='SGD', lr=RATES['encoder'], **of_sgd), **clip, **mult))
        named, buffers = dict(model.encoder_weights.named_parameters()), {}
        if 'momentum' in sgd:
            torch.manual_seed(3)
            buffers = {name: .1 * torch.randn_like(p) for name, p in named.items()}
            for name, p in named.items():
                wrapper['encoder'].optimizer.state[p]['momentum_buffer'] = buffers[name].clone()
        steps.append(StepsOfV({name: p.detach().clone() for name, p in named.items()}, buffers,
                              hypernetwork_step == 'stage', **sgd,
                              rates={name: RATES['encoder'] * x for name, x in (lr_mult or {}).items()}))
        return wrapper

    options = dict(dict(encoder_weights=HYPER, virtual_rates=dict(head=RATES['head']), virtual_step=ALL_OF_SGD,
                        transfer=dict(TRANSFER, threshold=.05)), **options)
    chain = after_stages(ORDERS[k], m, make_optimisers=make_optimisers, step_space='hypernetwork',
                         hypernetwork_step=hypernetwork_step, **options)
    return *chain, steps[-1]


@pytest.mark.parametrize('k, m, hypernetwork_step, sgd', V_CHAINS,
                         ids=[f'K{k}-M{m}-{step}' for k, m, step, _ in V_CHAINS])
def test_exact_is_the_whole_graphs_gradient_through_steps_of_v(k, m, hypernetwork_step, sgd):
    mult = dict(third_weight=.3, first_task=2.)
    model, prepared, data, steps = chain_of_v(k, m, hypernetwork_step, sgd, mult)
    assert m * k == 1 or any(r.active for r in model.records[1:])
    if hypernetwork_step == 'stage':  # the chain's step is the optimiser's
        last = model.records[-1].step
        for name, p in model.encoder_weights.named_parameters():
            torch.testing.assert_close(last.after[name].value, p.detach(), rtol=0, atol=1e-12)
    _, expected = whole_graph_gradient(model, prepared, data, RATES.values(), steps)
    assert error(gradient(model, data, 'exact'), expected) < 1e-10
    assert error(gradient(model, data, 'first_order'), expected) > 1e-4


def test_other_ways_through_steps_of_v():
    """Central differences, kept graphs, recomputed blocks and a chain that is made again; V matters."""
    sgd = dict(momentum=.8, weight_decay=.02, max_norm=.5)
    results = {}
    for name, options in dict(plain={}, kept=dict(keep_graphs=True), recomputed=dict(recompute='all')).items():
        model, _, data, _ = chain_of_v(2, 1, 'stage', sgd, smooth=True, **options)
        assert any(r.kept is not None for r in model.records) == (name == 'kept')
        results[name] = gradient(model, data, 'exact')
        if name == 'plain':
            results['difference'] = gradient(model, data, 'finite_difference')
            before = [record.virtual_encoder for record in model.records]
            model.run_chain_again(optimisers(model))  # at the same A
            for old, record in zip(before, model.records, strict=True):
                torch.testing.assert_close(record.virtual_encoder, old, rtol=0, atol=0)
            results['again'] = gradient(model, data, 'exact')
            for variable in model.records[0].step.after.values():
                variable.constant = True
            results['constant V'] = gradient(model, data, 'exact')
    plain = results.pop('plain')
    assert error(results.pop('constant V'), plain) > 1e-4
    assert error(results.pop('difference'), plain) < 1e-6
    assert all(error(actual, plain) < 1e-12 for actual in results.values())


@pytest.mark.parametrize('weights', [HYPER, STORED], ids=lambda weights: weights['type'])
def test_exact_with_batches_in_which_no_image_has_a_box(monkeypatch, weights):
    """The boxes' loss is 0 and its gradient with it; the classes' loss still teaches the background."""
    def without_boxes(name):
        batch = raw_batch(name)
        for sample in batch['data_samples'] if name == 'det' else ():
            sample.gt_instances = sample.gt_instances[:0]
        return batch

    raw_batch = small_search.raw_batch
    monkeypatch.setattr(small_search, 'raw_batch', without_boxes)
    model, prepared, data = after_stages(encoder_weights=weights)
    assert not any(len(s.gt_instances) for batch in (data['det'], prepared[1][0]) for s in batch['data_samples'])
    loss, expected = whole_graph_gradient(model, prepared, data, RATES.values())
    assert loss.isfinite() and all(g.isfinite().all() and g.abs().sum() > 0 for g in expected.values())
    assert error(gradient(model, data, 'exact'), expected) < 1e-10
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


# --- the cell spaces ---

CELL_SPACES = dict(
    darts=CELLS,
    darts_gn=dict(CELLS, norm_cfg=dict(type='GN', num_groups=2)),
    pdarts=dict(CELLS, type='PDARTSSupernet', skip_dropout=.4),
    pcdarts=dict(CELLS, type='PCDARTSSupernet', part=2),
    prdarts=dict(CELLS, type='PRDARTSSupernet', regularization=(0., 0., 0.)),
)


@pytest.mark.parametrize('space, rounds, weights', [
    ('darts', 1, HYPER), ('darts', 2, STORED), ('pcdarts', 1, STORED), ('pcdarts', 2, HYPER),
    ('darts_gn', 1, HYPER), ('pdarts', 1, STORED), ('prdarts', 1, HYPER),
], ids=lambda value: value['type'] if isinstance(value, dict) else str(value))
def test_exact_is_the_whole_graphs_gradient_on_cells(space, rounds, weights):
    model, prepared, data = active_chain(
        1, order=('cell', 'cell2'), rounds=rounds, encoder_weights=weights, space=CELL_SPACES[space],
        transfer=dict(TRANSFER, num_augmentations=2, image_size=12, threshold=.05))
    loss, expected = whole_graph_gradient(model, prepared, data, RATES.values())
    assert error(gradient(model, data, 'exact'), expected) < 1e-10
    assert error(gradient(model, data, 'first_order'), expected) > 1e-3


@pytest.mark.parametrize('order, rounds', [(('cell', ), 1), (('cell', 'cell2'), 2)])
def test_a_spaces_own_loss_counts_once_whatever_the_tasks(order, rounds):
    space = dict(CELL_SPACES['prdarts'], regularization=(1., .5, .5))
    model, _, data = after_stages(order, rounds, space=space, transfer=None)
    alphas = model.architecture.named_alphas()
    own = dict(zip(alphas, torch.autograd.grad(model.space.architecture_loss(alphas), list(alphas.values())),
                   strict=True))
    assert flat(own).norm() > 1e-3
    whole = {mode: gradient(model, data, mode) for mode in ('exact', 'first_order')}
    model.space.regularization = (0., 0., 0.)
    for mode, actual in whole.items():
        assert error({n: actual[n] - g for n, g in gradient(model, data, mode).items()}, own) < 1e-10


@pytest.mark.parametrize('weights', [HYPER, STORED], ids=lambda w: w['type'])
def test_exact_is_the_slope_of_the_whole_map(weights):
    model, prepared, data = after_stages(encoder_weights=weights, smooth=True)
    actual = gradient(model, data, 'exact')
    alphas = {n: a.detach() for n, a in model.architecture.named_alphas().items()}
    torch.manual_seed(0)
    direction = {n: torch.randn_like(a) for n, a in alphas.items()}
    step = 1e-5
    values = []
    for sign in (1, -1):
        moved = {n: (a + sign * step * direction[n]).requires_grad_() for n, a in alphas.items()}
        values.append(validation_loss(model, moved, prepared, data, RATES.values()).item())
    slope = (values[0] - values[1]) / (2 * step)
    assert flat(actual).dot(flat(direction)).item() == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize('mode, tolerance', [('exact', 1e-10), ('finite_difference', 1e-6)])
def test_only_violated_sets_take_the_second_pass_where_images_are_apart(monkeypatch, mode, tolerance):
    norm = dict(type='GN', num_groups=2)
    model, prepared, data = active_chain(1, space=dict(norm_cfg=norm), smooth=True)
    shares = [len(r.needed) / len(model.transfer_views(r)) for r in model.records[1:]]
    assert any(0 < share < 1 for share in shares), shares
    assert not model.space.couples_images and build().space.couples_images
    _, expected = whole_graph_gradient(model, prepared, data, RATES.values())
    embedded = []
    for task in model.tasks.values():
        original = task.embed
        object.__setattr__(task, 'embed', lambda *a, original=original: embedded.append(len(a[-1])) or original(*a))
    assert error(gradient(model, data, mode), expected) < tolerance
    assert set(embedded) == {len(r.needed) for r in model.records[1:] if r.active}


@pytest.mark.parametrize('options', [
    dict(encoder_task_weight=.7),
    dict(encoder_task_weight=.7, transfer=None),
    dict(transfer=None),
    dict(hypernetwork_step='stage'),
    dict(hypernetwork_step='stage', encoder_weights=STORED),
], ids=str)
def test_exact_under_the_other_readings(options):
    model, prepared, data = after_stages(**options)
    if options.get('hypernetwork_step') == 'stage':
        # the oracle makes every W from today's parameters: give it each stage's own
        generate = model.encoder_weights.generate
        records = {(r.stage.task_index, r.stage.round): r for r in model.records}

        def generate_then(task, round, importance):
            return model.generate(records[task, round], importance)

        model.encoder_weights.generate, first = generate_then, generate
        record = model.records[0]
        object.__setattr__(model.encoder_weights, 'forward', first)
        assert record.source is not None
        _, expected = whole_graph_gradient(model, prepared, data, RATES.values())
        del model.encoder_weights.generate
    else:
        _, expected = whole_graph_gradient(model, prepared, data, RATES.values())
    assert error(gradient(model, data, 'exact'), expected) < 1e-10


@pytest.mark.parametrize('weights', [HYPER, STORED], ids=lambda w: w['type'])
def test_kept_graphs_give_the_same(weights):
    values = []
    for keep in (False, True):
        model, _, data = active_chain(encoder_weights=weights, keep_graphs=keep)
        kept = [(r.kept is not None, r.kept_head is not None) for r in model.records]
        assert kept == ([(True, False)] * 2 + [(True, True)] * 2 if keep else [(False, False)] * 4)
        values.append(gradient(model, data, 'exact'))
        assert all(r.kept is None and r.kept_head is None for r in model.records)
    assert error(*values) < 1e-12


def test_no_graph_is_kept_while_a_is_frozen():
    model = small_search.build_method('MTLSAO', order=('cell', 'cell2'), space=CELLS, keep_graphs=True)
    wrapper = optimisers(model)
    for epoch, kept in ((0, False), (1, True)):
        model.set_progress(Progress(epoch, max_epochs=2, warmup_epochs=1, fraction=0.))
        iterate(model, wrapper, architecture=False)
        assert [record.kept is not None for record in model.records] == [kept] * 2


@pytest.mark.parametrize('method', ['MTLSAO', 'MTLHWS', 'MinibatchInterleaving'])
def test_searches_with_kept_graphs_are_the_same(method):
    states = []
    for keep in (False, True):
        torch.manual_seed(0)
        model = small_search.build_method(method, order=('cell', 'cell2'), space=CELLS, keep_graphs=keep)
        wrapper = optimisers(model)
        for i in range(2):
            torch.manual_seed(i)
            iterate(model, wrapper, i)
        states.append(torch.cat([value.flatten() for value in model.state_dict().values()]))
    torch.testing.assert_close(*states, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize('name', ['amp', 'tf32', 'replay'])
def test_kept_graphs_are_of_full_precision(name):
    with pytest.raises(ValueError, match=f'keep_graphs=True with model.{name}=True'):
        build(keep_graphs=True, **{name: True})


@pytest.mark.parametrize('dtype, tolerance, weights', [(torch.float32, 1e-3, STORED), (torch.float64, 1e-6, HYPER)],
                         ids=['float32', 'float64'])
def test_finite_difference_agrees_with_exact(dtype, tolerance, weights):
    model, _, data = active_chain(1, smooth=True, dtype=dtype, encoder_weights=weights)
    assert error(gradient(model, data, 'finite_difference'), gradient(model, data, 'exact')) < tolerance


def leave_out(monkeypatch, chosen):
    """Mutation: the sweep takes the inner gradients of some steps for constants.

    Args:
        chosen (callable): which, of :class:`GradientStep`.
    """
    original, left_out = GradientStep.pull_back, []

    def mutant(step, adjoints, pullback):
        if chosen(step):
            left_out.append(step)
            pullback = None
        original(step, adjoints, pullback)

    monkeypatch.setattr(GradientStep, 'pull_back', mutant)
    return left_out


@pytest.fixture(scope='module')
def chain():
    """A chain whose transfers are all active, its validation batches and A's gradient, which changes nothing in it."""
    torch.manual_seed(0)
    model, _, data = active_chain()
    return model, data, gradient(model, data, 'exact')


@pytest.mark.parametrize('left_out', range(4))
def test_leaving_out_a_stage_is_seen(monkeypatch, chain, left_out):
    """The encoder's step of one stage: without it, the sweep must disagree with the truth."""
    model, data, expected = chain
    encoder = model.records[left_out].encoder
    steps = leave_out(monkeypatch, lambda step: encoder in step.after)
    assert error(gradient(model, data, 'exact'), expected) > 1e-6
    assert len(steps) == 1


@pytest.mark.parametrize('name, number', [('head', 2), ('first stage', 1), ('transfer', 3)])
def test_leaving_out_an_equation_is_seen(monkeypatch, chain, name, number):
    model, data, expected = chain
    first, *others = (record.encoder for record in model.records)

    def equation(step):
        result = step.after[0]
        return 'first stage' if result is first else 'transfer' if result in others else 'head'

    steps = leave_out(monkeypatch, lambda step: equation(step) == name)
    assert error(gradient(model, data, 'exact'), expected) > 1e-6
    assert len(steps) == number


def test_leaving_out_the_hypernetworks_path_is_seen(monkeypatch, chain):
    model, data, expected = chain
    generate = model.generate
    monkeypatch.setattr(model, 'generate', lambda record, importance: generate(record, importance.detach()).detach())
    assert error(gradient(model, data, 'exact'), expected) > 1e-4
    monkeypatch.undo()
    assert error(gradient(model, data, 'exact'), expected) == 0  # the chain is as it was for each of these tests


# --- DARTS ------------------------------------------------------------------------------------------------------------


def darts_gradient(model, alphas, weights, head, train, val, rates, momenta, buffers, decay):
    """Liu et al. (2019), Eq. 7, for a supernet with weights (W, H) and its official code's virtual step.

    ``dLval/dA at w' - d/dA [v . eta * grad_w Ltrain(w, A)]`` with ``v = dLval/dw'`` and
    ``w' = w - eta (momentum buffer + grad_w Ltrain + decay w)``.
    """
    stage, names = model.stages[0], list(head)
    alphas = {n: a.detach().requires_grad_() for n, a in alphas.items()}
    gates = model.space.gate_tensors(alphas, model.draw)
    values = [v.detach().requires_grad_() for v in (weights, *head.values())]

    def loss(w, gates, data, purpose):
        return model.task_loss(stage, gates, w[0], dict(zip(names, w[1:], strict=True)), data, purpose)[0]

    inner = torch.autograd.grad(loss(values, gates, train, Purpose.LOSS), values, create_graph=True)
    moved = [(w - r * (m * b + g + d * w)).detach().requires_grad_()
             for w, g, r, m, b, d in zip(values, inner, rates, momenta, buffers, decay, strict=True)]
    outer = loss(moved, gates, val, Purpose.VALIDATION)
    direct = torch.autograd.grad(outer, list(alphas.values()), retain_graph=True)
    v = torch.autograd.grad(outer, moved)
    dot = sum((r * g * x).sum() for r, g, x in zip(rates, inner, v, strict=True))
    mixed = torch.autograd.grad(dot, list(alphas.values()))
    return {n: d - m for n, d, m in zip(alphas, direct, mixed, strict=True)}


@pytest.mark.parametrize('as_darts, sgd', [(False, {}), (True, {}), (True, dict(dampening=.4)),
                                           (True, dict(nesterov=True))], ids=str)
def test_one_task_one_round_is_darts(as_darts, sgd):
    """Also with rates and decays per parameter; the virtual step is then the optimiser's."""
    options = dict(order=('cls', ), rounds=1, encoder_weights=STORED, loss_normalization='none',
                   architecture=dict(init_std=.5))
    model = build(**options, virtual_step=dict(momentum=True, weight_decay=True) if as_darts else None)
    optim_wrapper = optimisers(
        model,
        encoder=dict(optimizer=dict(type='SGD', lr=.1, momentum=.9, weight_decay=3e-4, **sgd),
                     paramwise_cfg=dict(custom_keys=dict(weights=dict(lr_mult=.5)))),
        head=dict(optimizer=dict(type='SGD', lr=.02, momentum=.9, weight_decay=.1, **sgd),
                  paramwise_cfg=dict(bias_lr_mult=3., bias_decay_mult=0.)))
    iterate(model, optim_wrapper, 0)  # fills the momentum buffers
    torch.manual_seed(5)
    weights = model.encoder_weights.weights[0].detach().clone()
    head = {n: p.detach().clone() for n, p in model.heads['cls'][0].named_parameters()}
    parameters = [model.encoder_weights.weights[0], *model.heads['cls'][0].parameters()]
    states = [optim_wrapper['encoder'].optimizer.state, *[optim_wrapper['head'].optimizer.state] * len(head)]
    buffers = [s[p]['momentum_buffer'].clone() for s, p in zip(states, parameters, strict=True)]
    model.start_iteration(1)
    batch, = stage_batches(model)
    model.train_stage(model.stages[0], batch, optim_wrapper)
    val = {'cls': model.tasks['cls'].preprocess(val_batches(model)['cls'], True)}
    actual = gradient(model, val, 'exact')
    # of the gradient, and of the buffer
    share, momentum = (1.9, .81) if 'nesterov' in sgd else (1 - sgd.get('dampening', 0.), .9)
    biases = [name.endswith('bias') for name in head]
    assert any(biases) and not all(biases)
    expected = darts_gradient(
        model, model.architecture.named_alphas(), weights, head, model.records[0].data, val['cls'],
        rates=[rate * share for rate in [.05, *(.06 if bias else .02 for bias in biases)]],
        momenta=[momentum / share * as_darts] * len(buffers),
        buffers=buffers,
        decay=[decay * as_darts for decay in (3e-4, *(0. if bias else .1 for bias in biases))])
    assert error(actual, expected) < 1e-10
    assert error(gradient(model, val, 'finite_difference'), expected) < 1e-6
    record = model.records[0]
    model.step_weights(optim_wrapper)
    stepped = dict(W=model.encoder_weights.weights[0], **dict(model.heads['cls'][0].named_parameters()))
    stepped_head = {name: variable.value for name, variable in record.head.items()}
    for name, value in dict(stepped_head, W=record.virtual_encoder).items():
        assert (value - stepped[name]).abs().max().item() < 1e-12 or not as_darts, name


def darts_code_gradient(supernet, gates_of, head, alphas, weights, train, val, eta, momentum, buffers, decay, epsilon):
    """The gradient by A as the code of DARTS finds it, with first derivatives alone, for one list of weights.

    ``w' = w - eta (momentum buffer + grad + decay w)``, ``v = dLval/dw'``, then
    ``dLval/dA at w' - eta (dLtrain/dA at w + e v - dLtrain/dA at w - e v) / 2e`` with ``e = epsilon / ||v||``.

    Args:
        supernet: features of images at given weights and gates.
        head (callable): (weights, features, labels) -> loss.
        train, val (tuple): images and labels.
    """
    def derivatives(weights, data, by_weights):
        leaves = {n: a.detach().requires_grad_() for n, a in alphas.items()}
        weights = [w.detach().requires_grad_() for w in weights]
        loss = head(weights, supernet(weights, gates_of(leaves), data[0]), data[1])
        by = weights if by_weights else list(leaves.values())
        return torch.autograd.grad(loss, by, allow_unused=True, materialize_grads=True)

    moved = [w - eta * (momentum * b + g + decay * w)
             for w, g, b in zip(weights, derivatives(weights, train, True), buffers, strict=True)]
    direct, v = derivatives(moved, val, False), derivatives(moved, val, True)
    e = epsilon / torch.cat([x.reshape(-1) for x in v]).norm()
    plus, minus = (derivatives([w + sign * e * x for w, x in zip(weights, v, strict=True)], train, False)
                   for sign in (1, -1))
    return {n: d - eta * (p - m) / (2 * e) for n, d, p, m in zip(alphas, direct, plus, minus, strict=True)}


@pytest.mark.parametrize('space', ['darts', 'pcdarts'])
def test_one_task_one_round_is_the_code_of_darts(space):
    """On DARTS's own space, with the one optimiser that DARTS has for all of its weights."""
    model = build(('cell', ), 1, encoder_weights=STORED, loss_normalization='none', architecture=dict(init_std=.5),
                  virtual_step=dict(momentum=True, weight_decay=True), hypergradient='finite_difference',
                  space=CELL_SPACES[space])
    optim_wrapper = optimisers(model)
    for name in ('encoder', 'head'):
        optim_wrapper[name].param_groups[0].update(lr=.05, momentum=.9, weight_decay=.01)
    iterate(model, optim_wrapper, 0)  # fills the momentum buffers
    torch.manual_seed(5)
    head = model.heads['cell'][0]
    parameters = [model.encoder_weights.weights[0], *head.parameters()]
    weights = [p.detach().clone() for p in parameters]
    buffers = [optim_wrapper[name].optimizer.state[p]['momentum_buffer'].clone()
               for name, p in zip(('encoder', *['head'] * (len(parameters) - 1)), parameters, strict=True)]
    model.start_iteration(1)
    batch, = stage_batches(model)
    model.train_stage(model.stages[0], batch, optim_wrapper)
    val = {'cell': model.tasks['cell'].preprocess(val_batches(model)['cell'], True)}
    actual = gradient(model, val, 'finite_difference')

    task = model.tasks['cell']
    assert [n for n, _ in head.named_parameters()] == ['head.fc.weight', 'head.fc.bias']

    def features(weights, gates, images):
        return torch.func.functional_call(task.space, {**task.layout.named(weights[0]), **gates}, (images, ))[0]

    def loss(weights, x, labels):
        return nn.functional.cross_entropy(nn.functional.linear(x.mean((2, 3)), *weights[1:]), labels)

    def gates_of(alphas):
        return {f'gates.{n}': a.softmax(-1) for n, a in alphas.items()}

    def of(data):
        return data['inputs'], torch.cat([s.gt_label for s in data['data_samples']])

    assert min(b.norm() for b in buffers) > 0
    given = (features, gates_of, loss, model.architecture.named_alphas(), weights, of(model.records[0].data),
             of(val['cell']))
    settings = dict(eta=.05, momentum=.9, buffers=buffers, decay=.01, epsilon=1e-7)
    expected = darts_code_gradient(*given, **settings)
    assert error(actual, expected) < 1e-6
    assert error(gradient(model, val, 'exact'), expected) < 1e-6
    for change in (dict(momentum=0.), dict(decay=0.), dict(eta=.04)):  # each of them counts
        assert error(actual, darts_code_gradient(*given, **dict(settings, **change))) > 1e-4


# --- a problem by hand ------------------------------------------------------------------------------------------------


@MODELS.register_module()
class ScalarSpace(SearchSpace):
    """One weight w and one alpha a; the feature is a * w."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(1, 1))
        self.register_gates()

    def alpha_shapes(self):
        return {'a': (1, )}

    def importance(self, alphas):
        return dict(alphas)

    def derive(self, alphas):
        return Genotype('scalar', {})

    def forward(self, x):
        return ((self.gates['a'] * self.w).view(1, 1, 1, 1).expand(len(x), 1, 1, 1), )


@MODELS.register_module()
class ScalarModel(BaseModel):
    """L = 1/2 (h * a * w - y)^2."""

    def __init__(self, backbone, data_preprocessor=None):
        super().__init__(data_preprocessor or dict(type='mmengine.ImgDataPreprocessor'))
        self.backbone = MODELS.build(backbone)
        self.head = ScalarHead()

    def forward(self, inputs, data_samples=None, mode='loss'):
        return dict(loss=(self.head.h * self.backbone(inputs)[-1].mean() - data_samples)**2 / 2)


class ScalarHead(BaseModule):

    def __init__(self):
        super().__init__()
        self.h = nn.Parameter(torch.ones(1))


@MODELS.register_module()
class ScalarTransfer(KnowledgeTransfer):
    """T = 1/2 (z_student - z_teacher)^2."""
    num_examples = 2
    image_size = 4

    def views(self, images):
        return images[:1]

    def teacher_side(self, teacher, views):
        return teacher.embed(views)

    def student_side(self, student, views, teaching):
        return TransferLoss(((student.embed(views) - teaching)**2).sum() / 2)


def test_two_stages_by_hand():
    task = dict(type='imtnas_mm.ClassificationTask', model=dict(type='imtnas_mm.ScalarModel'))
    model = MODELS.build(
        dict(type='imtnas_mm.IMTNAS', search_space=dict(type='ScalarSpace'), tasks=dict(one=task, two=task), rounds=1,
             order=('one', 'two'), encoder_weights=STORED, transfer=dict(type='imtnas_mm.ScalarTransfer'),
             loss_normalization='none', virtual_rates=dict(encoder=.1, head=.2))).double()
    a, w1, w2, h1, h2, x1, x2, y1, y2, eta, rho = 1.5, .7, -.4, 1.2, .8, 2., -1., .5, .3, .1, .2
    with torch.no_grad():
        model.architecture.alphas['a'].fill_(a)
        for parameter, value in zip(model.encoder_weights.weights, (w1, w2), strict=True):
            parameter.fill_(value)
        for name, value in (('one', h1), ('two', h2)):
            model.heads[name][0].head.h.fill_(value)
    model.start_iteration(0)
    image = torch.zeros(1, 3, 4, 4)
    optim_wrapper = optimisers(model)
    for stage, y in zip(model.stages, (x1, x2), strict=True):
        model.train_stage(stage, dict(train=dict(inputs=image, data_samples=y), examples=(image, image)),
                          optim_wrapper)
    val = {'one': dict(inputs=image.double(), data_samples=y1), 'two': dict(inputs=image.double(), data_samples=y2)}
    actual = gradient(model, val, 'exact')['a'].item()

    # stage 1: L = (h a w - x)^2 / 2 steps w and h at (w, h)
    r = h1 * a * w1 - x1
    u1, du1 = w1 - eta * r * h1 * a, -eta * (h1 * w1 * h1 * a + r * h1)
    g1, dg1 = h1 - rho * r * a * w1, -rho * (h1 * w1 * a * w1 + r * w1)
    # stage 2: T = (a w2 - a u1)^2 / 2 steps w2; L = (h a u2 - x)^2 / 2 steps h at (u2, h)
    u2 = w2 - eta * a * a * (w2 - u1)
    du2 = -eta * (2 * a * (w2 - u1) - a * a * du1)
    q = h2 * a * u2 - x2
    g2 = h2 - rho * q * a * u2
    dg2 = -rho * (h2 * (u2 + a * du2) * a * u2 + q * (u2 + a * du2))
    # Lval = (g a u - y)^2 / 2 of both
    expected = ((g1 * a * u1 - y1) * (dg1 * a * u1 + g1 * u1 + g1 * a * du1) +
                (g2 * a * u2 - y2) * (dg2 * a * u2 + g2 * u2 + g2 * a * du2))
    assert actual == pytest.approx(expected, rel=1e-12)
    assert gradient(model, val, 'finite_difference')['a'].item() == pytest.approx(expected, rel=1e-6)
    first = (g1 * a * u1 - y1) * g1 * u1 + (g2 * a * u2 - y2) * g2 * u2
    assert gradient(model, val, 'first_order')['a'].item() == pytest.approx(first, rel=1e-12)


# --- second derivatives that are missing ---


def test_exact_refuses_a_head_with_such_an_operator_and_differences_do_not():
    model = build(rounds=1)
    template = model.tasks['det'].template
    template.bbox_head.relu_once = OnceModule()
    forward = template.bbox_head.forward_single
    template.bbox_head.forward_single = lambda x: tuple(template.bbox_head.relu_once(y) for y in forward(x))
    model.hypergradient = 'exact'
    with pytest.raises(SecondDerivativeError, match='tasks.det.bbox_head.relu_once: Once has no second derivative'
                       ".*hypergradient='exact'.*finite_difference"):
        iterate(model, optimisers(model))
    model.hypergradient = 'finite_difference'
    iterate(model, optimisers(model))


def as_on_a_gpu(monkeypatch):
    """mmdet's focal loss takes its compiled function, as it does on GPUs, here a stand-in without second derivative."""
    from mmdet.models.losses import focal_loss

    def compiled(pred, target, weight=None, gamma=2., alpha=.25, reduction='mean', avg_factor=None):
        target = nn.functional.one_hot(target, pred.size(1) + 1)[:, :pred.size(1)]
        loss = focal_loss.py_sigmoid_focal_loss(pred, target, weight, gamma, alpha, reduction, avg_factor)
        return Once.apply(loss.sqrt())

    monkeypatch.setattr(focal_loss, 'sigmoid_focal_loss', compiled)

    def forward(self, pred, target, weight=None, avg_factor=None, reduction_override=None):
        assert not isinstance(pred, list)
        return self.loss_weight * focal_loss.sigmoid_focal_loss(
            pred, target, weight, gamma=self.gamma, alpha=self.alpha, reduction='mean', avg_factor=avg_factor)

    monkeypatch.setattr(focal_loss.FocalLoss, 'forward', forward)


def test_exact_takes_the_plain_focal_loss_where_mmdet_takes_the_compiled_one(monkeypatch):
    expected = {n: a.detach() for n, a in iterated('exact').architecture.named_alphas().items()}
    as_on_a_gpu(monkeypatch)
    model = iterated('exact')
    for name, alpha in model.architecture.named_alphas().items():
        torch.testing.assert_close(alpha.detach(), expected[name])


def iterated(mode):
    model = build(rounds=1, hypergradient=mode)
    torch.manual_seed(0)
    iterate(model, optimisers(model))
    return model


def test_an_operator_that_refuses_by_itself_is_named_by_its_task(monkeypatch):
    model = build(rounds=1, hypergradient='exact')

    def refuse(*args):
        raise RuntimeError('derivative for some_op is not implemented')

    monkeypatch.setitem(task_pullbacks.PULLBACKS, 'exact', refuse)
    with pytest.raises(SecondDerivativeError, match=r'tasks.det \(stage r1.det\).*some_op is not implemented'):
        iterate(model, optimisers(model))
