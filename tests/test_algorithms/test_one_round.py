"""The methods of one round: against each other, and A's gradient against one whole graph."""
import pytest
import torch

from helpers.small_search import SPACE, assert_same, iterate, optimisers, stage_batches, trace_steps, val_batches
from helpers.small_search import build_method as build
from imtnas_mm.random_state import Purpose

STORED = dict(type='StoredWeights')


def trained(method, iterations=2, names=None, **options):
    """The state after some iterations, without what the methods name differently."""
    torch.manual_seed(0)
    model = build(method, **options)
    optim_wrapper = optimisers(model)
    for i in range(iterations):
        iterate(model, optim_wrapper, i, stage_batches(model), val_batches(model))
    return model.state_dict()


@pytest.mark.parametrize('hypergradient', ['exact', 'first_order'])
def test_soft_sharing_without_weight_is_sharing_the_architecture_alone(hypergradient):
    assert_same(trained('MTLSWS', sharing_weight=0., hypergradient=hypergradient),
                trained('MTLSAO', hypergradient=hypergradient))


def test_soft_sharing_with_weight_is_not():
    one, other = trained('MTLSWS', sharing_weight=.5), trained('MTLSAO')
    assert not torch.equal(one['encoder_weights.weights.0'], other['encoder_weights.weights.0'])


@pytest.mark.parametrize('hypergradient', ['exact', 'first_order'])
def test_one_task_is_the_same_by_every_method(hypergradient):
    options = dict(order=('cls', ), hypergradient=hypergradient, virtual_step=dict(momentum=True, weight_decay=True))
    single = trained('SingleTask', first_step='weights', **options)
    for method in ('MTLSAO', 'MTLHWS', 'MTLSWS'):
        assert_same(single, trained(method, **options))
    assert_same(single, trained('IMTNAS', encoder_weights=STORED, **options))
    options['virtual_step'] = dict(weight_decay=True)
    assert_same(trained('SingleTask', first_step='weights', **options), trained('MinibatchInterleaving', **options))


@pytest.mark.parametrize('method, options', [
    ('MTLSAO', {}), ('MTLHWS', {}), ('MTLNAS', {}),
    *((method, dict(sharing_weight=weight, sharing_step=how)) for method in ('MTLSWS', 'MinibatchInterleaving')
      for weight, how in ((.3, 'explicit'), (100., 'implicit')))], ids=str)
def test_exact_gradient_is_that_of_the_whole_graph(method, options):
    torch.manual_seed(1)
    model = build(method, order=('cls', 'det'), loss_normalization='none', train_weights=dict(det=.7),
                  val_weights=dict(cls=.4), **options)
    with torch.no_grad():
        for weights in model.encoder_weights.parameters():  # tasks that differ, so that sharing pulls
            weights += .01 * torch.randn_like(weights)
    optim_wrapper = optimisers(model)
    batches, val = stage_batches(model), val_batches(model)
    eta_w, eta_h = .05, .02
    encoders = [w.detach().clone().requires_grad_() for w in model.encoder_weights.weights]
    encoders = encoders * 2 if len(encoders) == 1 else encoders
    heads = {}
    for stage in model.stages:
        head = model.head(stage)
        heads[stage.task] = ({n: p.detach().clone().requires_grad_() for n, p in head.trained().items()},
                             {n: c.detach().clone() for n, c in head.constants().items()})
    model.start_iteration(0)
    for stage, batch in zip(model.stages, batches, strict=True):
        model.train_stage(stage, batch, optim_wrapper)
    data = {n: model.preprocess(n, b, Purpose.VALIDATION, i) for i, (n, b) in enumerate(val.items())}
    actual, _ = model.architecture_gradient([data])

    alphas = {n: a.detach().requires_grad_() for n, a in model.architecture.named_alphas().items()}
    gates = model.space.gate_tensors(alphas, model.draw)
    beta, alpha = dict(cls=1., det=.7), dict(cls=.4, det=1.)
    losses = []
    for stage, batch in zip(model.stages, batches, strict=True):
        own, constants = heads[stage.task]
        prepared = model.preprocess(stage.task, batch['train'], Purpose.LOSS, stage.index)
        losses.append(beta[stage.task] * model.task_loss(
            stage, gates, encoders[stage.task_index], {**own, **constants}, prepared)[0])
    objective = sum(losses)
    explicit = options.get('sharing_step') == 'explicit'
    if method == 'MTLSWS' and explicit:
        objective = objective + .3 * ((encoders[0] - encoders[1])**2).sum()
    unique = list(dict.fromkeys(encoders))
    inner = [*unique, *(p for own, _ in heads.values() for p in own.values())]
    steps = torch.autograd.grad(objective, inner, create_graph=True, allow_unused=True, materialize_grads=True)
    steps = dict(zip(map(id, inner), steps, strict=True))
    virtuals = [encoder - eta_w * steps[id(encoder)] for encoder in encoders]
    if method == 'MinibatchInterleaving' and explicit:  # the second task sees the first one stepped
        first, second = encoders
        virtuals[0] = virtuals[0] - eta_w * .6 * (first - second).detach()
        virtuals[1] = virtuals[1] - eta_w * .6 * (second - virtuals[0])
    elif options and not explicit:
        a = 2 * eta_w * options['sharing_weight']
        if method == 'MTLSWS':  # W~_k + a (W~_k - W~_j) = U_k, as a linear system
            system = torch.tensor([[1 + a, -a], [-a, 1 + a]], dtype=torch.float64)
            virtuals = list(torch.linalg.solve(system, torch.stack(virtuals)))
        else:
            virtuals[0] = (virtuals[0] + a * encoders[1].detach()) / (1 + a)
            virtuals[1] = (virtuals[1] + a * virtuals[0]) / (1 + a)
    total = 0
    for stage in model.stages:
        own, constants = heads[stage.task]
        head = {n: p - eta_h * steps[id(p)] for n, p in own.items()}
        total = total + alpha[stage.task] * model.task_loss(
            stage, gates, virtuals[stage.task_index], {**head, **constants}, data[stage.task], Purpose.VALIDATION)[0]
    expected = dict(zip(alphas, torch.autograd.grad(total, list(alphas.values())), strict=True))
    for name in expected:
        torch.testing.assert_close(actual[name], expected[name], rtol=1e-9, atol=1e-13)


def test_minibatches_step_their_own_task_one_after_the_other():
    torch.manual_seed(2)
    model = build('MinibatchInterleaving', order=('cls', 'cls2', 'cls3'), hypergradient='first_order')
    optim_wrapper = optimisers(model)
    trace = trace_steps(model, optim_wrapper)
    iterate(model, optim_wrapper, 0, stage_batches(model), val_batches(model))
    assert trace[:-1] == [('encoder', {'0'}), ('head', {'cls'}), ('encoder', {'1'}), ('head', {'cls2'}),
                          ('encoder', {'2'}), ('head', {'cls3'})]
    assert trace[-1][0] == 'architecture'


def test_a_second_step_of_the_architecture_starts_from_the_weights_of_the_iteration():
    torch.manual_seed(3)
    model = build('MinibatchInterleaving', sharing_weight=.3)
    optim_wrapper = optimisers(model)
    model.start_iteration(0)
    for stage, batch in zip(model.stages, stage_batches(model), strict=True):
        model.train_stage(stage, batch, optim_wrapper)
    before = model.records
    model.run_chain_again(optim_wrapper)  # at the same A: the same chain
    for old, new in zip(before, model.records, strict=True):
        assert torch.equal(old.virtual_encoder, new.virtual_encoder)
        for name, variable in old.head.items():
            torch.testing.assert_close(variable.value, new.head[name].value, rtol=0, atol=0)


def test_a_random_architecture_is_the_seeds_own():
    space = dict(SPACE, layout='fairnas19', width_mult=.05, out_indices=(5, ))  # of many architectures
    one, same, other = (build('RandomSearch', seed=seed, space=space, architecture=dict(init_std=1e-3))
                        for seed in (0, 0, 1))
    assert one.derive().architecture == same.derive().architecture != other.derive().architecture
    assert abs(torch.cat([a.flatten() for a in one.architecture.parameters()]).std().item() - 1) < .3


def test_hard_sharing_keeps_one_encoder():
    assert len(build('MTLHWS').encoder_weights.weights) == 1
    assert len(build('MTLSWS').encoder_weights.weights) == 2


@pytest.mark.parametrize('options, message', [
    (dict(method='SingleTask'), 'train_cfg.order=.*must name one task'),
    (dict(method='MTLSWS', sharing_weight=-1.), 'model.sharing_weight=-1.0 must not be negative'),
    (dict(method='MTLSAO', train_weights=dict(seg=1.)), "model.train_weights names the unknown task 'seg'"),
    (dict(method='MTLSAO', val_weights=dict(cls=-1.)), 'model.val_weights.cls=-1.0 must not be negative'),
])
def test_errors_name_the_field(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_settings_of_imtnas_are_left_out_and_said(monkeypatch):
    said = []
    monkeypatch.setattr('imtnas_mm.algorithms.unused.print_log', lambda text, *_: said.append(text))
    build('MTLSAO', rounds=3, encoder_weights=dict(type='HyperNetwork'), transfer=dict(type='MMDTransfer'),
          step_space='hypernetwork', virtual_step=dict(clip_grad=True))
    assert len(said) == 1 and said[0].startswith(
        "MTLSAO has no use for train_cfg.rounds=3, model.encoder_weights.type='HyperNetwork', "
        "model.transfer.type='MMDTransfer', model.step_space='hypernetwork', "
        'model.virtual_step.clip_grad=True')
