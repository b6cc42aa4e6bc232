"""The search of a single task: A steps first and the weights at the new A, as in DARTS; or the other way round."""
import copy

import pytest
import torch

from helpers.small_search import CLASSIFIER, TASKS, assert_same, iterate, optimisers, stage_batches, val_batches
from helpers.small_search import build_method as build
from imtnas_mm.progress import Progress
from imtnas_mm.random_state import Purpose

DARTS = dict(order=('cls', ), loss_normalization='none', architecture=dict(init_std=.5))
SECOND = dict(virtual_step=dict(momentum=True, weight_decay=True))
FIRST = dict(hypergradient='first_order')


def start(**options):
    torch.manual_seed(0)
    model = build('SingleTask', **DARTS, **options)
    wrapper = optimisers(model)
    return model, wrapper, stage_batches(model), val_batches(model)


def architecture(model):
    return {name: value.clone() for name, value in model.state_dict().items() if name.startswith('architecture.')}


@pytest.mark.parametrize('order', [SECOND, FIRST], ids=['second', 'first'])
def test_the_weights_step_at_the_new_architecture(order):
    """A plain loop of SGD on the training loss at A after its step, from the same weights and momentum."""
    model, wrapper, batches, val = start(**order)
    iterate(model, wrapper, 0, batches, val)  # fills the momentum
    stage, head = model.stages[0], model.heads['cls'][0]
    parameters = [model.encoder_weights.weights[0], *head.parameters()]
    before = [p.detach().clone().requires_grad_() for p in parameters]
    twin = torch.optim.SGD([dict(params=before[:1], lr=.05, momentum=.9, weight_decay=3e-4),
                            dict(params=before[1:], lr=.02, momentum=.9)])
    for p, other, part in zip(parameters, before, ['encoder', *['head'] * len(before)], strict=False):
        twin.state[other]['momentum_buffer'] = wrapper[part].optimizer.state[p]['momentum_buffer'].clone()
    old = architecture(model)
    figures = iterate(model, wrapper, 1, batches, val)
    assert any(not torch.equal(value, old[name]) for name, value in architecture(model).items())
    gates = model.space.gate_tensors({n: a.detach() for n, a in model.architecture.named_alphas().items()}, model.draw)
    data = model.preprocess('cls', batches[0]['train'], Purpose.LOSS, 0)
    names = [name for name, _ in head.named_parameters()]
    loss, _ = model.task_loss(stage, gates, before[0], dict(zip(names, before[1:], strict=True)), data)
    loss.backward()
    twin.step()
    torch.testing.assert_close(figures['r1.cls/loss'], loss.detach(), rtol=1e-12, atol=0)
    for p, other in zip(parameters, before, strict=True):
        torch.testing.assert_close(p, other, rtol=1e-10, atol=1e-13)


def test_first_order_judges_the_architecture_at_the_weights_themselves():
    """DARTS with xi = 0: the validation loss's gradient at W by autograd; with rates set, at the one-step update."""
    model, wrapper, batches, val = start(**FIRST)
    model.start_iteration(0)
    model.train_stage(model.stages[0], batches[0], wrapper)
    data = {'cls': model.preprocess('cls', val['cls'], Purpose.VALIDATION, 0)}
    actual, _ = model.architecture_gradient([data])
    alphas = {n: a.detach().requires_grad_() for n, a in model.architecture.named_alphas().items()}
    gates = model.space.gate_tensors(alphas, model.draw)
    head = model.heads['cls'][0]
    loss, _ = model.task_loss(model.stages[0], gates, model.encoder_weights.weights[0].detach(), head.tensors(),
                              data['cls'], Purpose.VALIDATION)
    expected = dict(zip(alphas, torch.autograd.grad(loss, list(alphas.values())), strict=True))
    for name in expected:
        torch.testing.assert_close(actual[name], expected[name], rtol=1e-10, atol=1e-13)
    ends = []
    for options in (FIRST, dict(FIRST, virtual_rates=dict(encoder=.05, head=.02)), dict(FIRST, first_step='weights')):
        model, wrapper, batches, val = start(**options)
        iterate(model, wrapper, 0, batches, val)
        ends.append(architecture(model))
    assert_same(ends[1], ends[2])
    assert any(not torch.equal(value, ends[1][name]) for name, value in ends[0].items())


@pytest.mark.parametrize('more', [dict(), dict(keep_graphs=True), dict(arch_steps=2)], ids=str)
def test_both_orders_step_a_alike_and_the_weights_differently(more):
    ends = []
    for first in ('architecture', 'weights'):
        model, wrapper, batches, val = start(first_step=first, **SECOND, **more)
        iterate(model, wrapper, 0, batches, val)
        ends.append((architecture(model), model.encoder_weights.weights[0].detach()))
    assert_same(ends[0][0], ends[1][0])
    assert not torch.equal(ends[0][1], ends[1][1])


def test_in_the_warm_up_both_orders_are_the_same():
    ends = []
    for first in ('architecture', 'weights'):
        model, wrapper, batches, val = start(first_step=first, **SECOND)
        model.set_progress(Progress(0, 4, 1, 0.))
        iterate(model, wrapper, 0, batches, val, architecture=False)
        ends.append(model.state_dict())
    assert_same(*ends)


def test_statistics_of_the_head_move_once_per_iteration(monkeypatch):
    model = copy.deepcopy(CLASSIFIER)
    model['head'].update(norm_cfg=dict(type='BN'))
    monkeypatch.setitem(TASKS, 'bn', dict(type='ClassificationTask', model=model))
    monkeypatch.setitem(DARTS, 'order', ('bn', ))
    for options in (SECOND, FIRST):
        model, wrapper, batches, val = start(**options)
        for i in range(2):
            iterate(model, wrapper, i, batches, val)
        counts = [b for name, b in model.heads['bn'][0].named_buffers() if name.endswith('num_batches_tracked')]
        assert counts and all(count == 2 for count in counts)


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match="model.first_step='both' is not one of"):
        build('SingleTask', order=('cls', ), first_step='both')
