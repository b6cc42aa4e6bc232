"""Separate interleaving: against searches of one task that are chained by hand, and by the trace of its steps."""
import copy

import pytest
import torch

from helpers.small_search import CELLS, assert_same, iterate, optimisers, trace_steps
from helpers.small_search import build_method as build
from imtnas_mm.progress import Progress

CHAIN = dict(virtual_step=dict(momentum=True, weight_decay=True))


def search(model, optim_wrapper, iterations, epochs, length, start=0):
    """Iterations ``start`` to ``iterations`` of a search of ``epochs`` epochs of ``length`` iterations; the data are a
    function of the iteration."""
    for i in range(start, iterations):
        torch.manual_seed(100 + i)
        model.set_progress(Progress(i // length, epochs, 0, i / max(epochs * length - 1, 1)))
        iterate(model, optim_wrapper, i)


def state(model, optim_wrapper):
    return copy.deepcopy((model.state_dict(), optim_wrapper.state_dict()))


@pytest.mark.parametrize('rounds', [1, 3])
def test_one_task_by_itself_is_a_search_of_one_task(rounds):
    actual = []
    for method, options in (('SeparateInterleaving', {}), ('SingleTask', dict(first_step='weights'))):
        torch.manual_seed(0)
        model = build(method, order=('cls', ), rounds=rounds, **CHAIN, **options)
        search(model, optimisers(model), 4, epochs=4, length=1)
        actual.append({name: value for name, value in model.state_dict().items() if name != 'segment'})
    assert_same(*actual)


def test_it_is_a_chain_of_searches_of_one_task():
    order, epochs, length = ('cell', 'cell2'), 4, 2
    common = dict(space=CELLS, hypergradient='first_order', **CHAIN)
    model = build('SeparateInterleaving', order=order, rounds=2, **common)
    wrapper = optimisers(model)
    start = copy.deepcopy(model.state_dict())
    search(model, wrapper, epochs * length, epochs, length)
    actual = model.state_dict()

    heads = {task: {n: v for n, v in start.items() if n.startswith(f'heads.{task}.')} for task in order}
    means, head_states = dict.fromkeys(order, torch.tensor(float('nan'), dtype=torch.float64)), {}
    shared = {n: v for n, v in start.items() if n.startswith('architecture.')}
    encoder, encoders, architecture_state = start['encoder_weights.weights.0'], {}, None
    for segment, task in enumerate(order * 2):
        single = build('SingleTask', order=(task, ), first_step='weights', **common)
        wrapper = optimisers(single)
        single.load_state_dict({**single.state_dict(), **shared, **heads[task], 'encoder_weights.weights.0': encoder,
                                'loss_scale.means': means[task][None]})
        if task in head_states:
            wrapper['head'].load_state_dict(head_states[task])
        if architecture_state:
            wrapper['architecture'].load_state_dict(architecture_state)
        search(single, wrapper, (segment + 1) * length, epochs, length, start=segment * length)
        end = copy.deepcopy(single.state_dict())
        shared = {n: v for n, v in end.items() if n.startswith('architecture.')}
        heads[task] = {n: v for n, v in end.items() if n.startswith(f'heads.{task}.')}
        encoder = encoders[task] = end['encoder_weights.weights.0']
        means[task] = end['loss_scale.means'][0]
        head_states[task], architecture_state = (
            copy.deepcopy(wrapper[part].state_dict()) for part in ('head', 'architecture'))
    expected = {**shared, **heads['cell'], **heads['cell2'], 'loss_scale.means': torch.stack(list(means.values())),
                **{f'encoder_weights.weights.{k}': encoders[task] for k, task in enumerate(order)}}
    assert_same({n: v for n, v in actual.items() if n not in ('segment', 'progress', 'signal.mean')},
                expected)


def test_segments_step_their_own_task_from_the_encoder_of_the_last():
    model = build('SeparateInterleaving', order=('cls', 'cls2'), rounds=2, hypergradient='first_order')
    wrapper = optimisers(model)
    trace, begun, plain = trace_steps(model, wrapper), [], model.begin_segment

    def begin(*args):
        heads = copy.deepcopy(model.heads.state_dict())
        before = [w.detach().clone() for w in model.encoder_weights.weights]
        plain(*args)
        begun.append((len(trace), before, [w.detach().clone() for w in model.encoder_weights.weights],
                      [w in wrapper['encoder'].optimizer.state for w in model.encoder_weights.weights]))
        assert_same(heads, model.heads.state_dict())

    model.begin_segment = begin
    search(model, wrapper, 8, epochs=4, length=2)
    groups = set(model.architecture.named_alphas())
    for segment in range(4):
        task, number = ('cls', '0') if segment % 2 == 0 else ('cls2', '1')
        iteration = [('architecture', groups), ('encoder', {number}), ('head', {task})]
        assert trace[segment * 6:segment * 6 + 6] == iteration * 2
    assert len(trace) == 24 and [place for place, *_ in begun] == [6, 12, 18]
    for (_, before, after, momentum), new in zip(begun, (1, 0, 1), strict=True):
        last = 1 - new
        assert not torch.equal(before[last], before[new])
        assert torch.equal(after[last], before[last]) and torch.equal(after[new], before[last])
        assert momentum[last] and not momentum[new]


@pytest.mark.parametrize('stop', [3, 4])  # within a segment, and between two
def test_resumed_it_ends_as_the_whole_search(stop):
    options = dict(rounds=2, hypergradient='first_order')
    model = build('SeparateInterleaving', **options)
    wrapper = optimisers(model)
    search(model, wrapper, stop, epochs=4, length=2)
    weights, optimiser_states = state(model, wrapper)
    search(model, wrapper, 6, epochs=4, length=2, start=stop)
    again = build('SeparateInterleaving', **options)
    other = optimisers(again)
    again.load_state_dict(weights)
    other.load_state_dict(optimiser_states)
    assert again.active_stages()[0].task == 'cls2'  # as when it was stopped
    search(again, other, 6, epochs=4, length=2, start=stop)
    assert_same(model.state_dict(), again.state_dict())
    torch.testing.assert_close(wrapper.state_dict(), other.state_dict(), rtol=0, atol=0)


def test_segments_are_as_even_as_epochs_allow_and_named_by_their_rounds():
    model = build('SeparateInterleaving', rounds=2, hypergradient='first_order')
    epochs = []
    for epoch in range(7):
        model.set_progress(Progress(epoch, 7, 0, 0.))
        epochs.append(model.segments[model.present_segment()].name)
        assert [stage.task for stage in model.active_stages()] == [epochs[-1][3:]]
    assert epochs == ['r1.cls', 'r1.cls', 'r1.cls2', 'r1.cls2', 'r2.cls', 'r2.cls', 'r2.cls2']
    figures = iterate(model, optimisers(model))
    assert 'r2.cls2/loss' in figures and not any(name.startswith('r1.') for name in figures)
    assert {name for name in figures if name.endswith('val_loss')} == {'cls2/val_loss'}


def test_too_few_epochs_are_refused():
    model = build('SeparateInterleaving', order=('cls', 'cls2'), rounds=3)
    model.check_epochs(6)
    with pytest.raises(ValueError, match=r'train_cfg.max_epochs=5: .*train_cfg.rounds=3 rounds, so it must be 6 or'):
        model.check_epochs(5)
    with pytest.raises(ValueError, match='train_cfg.rounds=0 must be at least 1'):
        build('SeparateInterleaving', rounds=0)
