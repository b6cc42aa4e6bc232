"""The trial of A's step at the start of a warm-up leaves no trace in the results, and its time is in the lines."""
import logging
import re
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn

from helpers import tiny_run as tiny
from helpers.search_state import differences, losses, state
from imtnas_mm.engine.loops import search_loop
from imtnas_mm.engine.loops.trial import FirstIterations, measured_call, try_iterations
from imtnas_mm.finite import NonFiniteError

METHODS = {  # options, and the tasks
    'IMTNAS': (['model.hypergradient=exact', 'model.keep_graphs=True', 'model.encoder_task_weight=1.'],
               ('cls', 'cls2')),
    'MTLNAS': ([], ('cls', 'cls2')),
    'SeparateInterleaving': ([], ('cls', 'cls2')),
    'SingleTask': (['model.transfer=None'], ('cls', ))}


@pytest.mark.parametrize('method', METHODS)
def test_a_search_is_the_same_as_without(data, tmp_path, monkeypatch, method):
    """Also one that is resumed in the warm-up, where the optimisers have a state."""
    options, order = METHODS[method]
    fields = tiny.search_fields(data, order=order, rounds=1, max_epochs=3, warmup_epochs=2, val_begin=9)
    config = tiny.write_config(tmp_path / 'tiny.py', 'imtnas_demo.py', **fields)
    warming_up = []

    def watched(runner, warmup, later, starts):
        def watched_later():
            later()
            warming_up.append(runner.model.warming_up)
        return try_iterations(runner, warmup, watched_later, starts)

    for name, trial in (('with', watched), ('without', lambda *_: None), ('resumed', watched)):
        monkeypatch.setattr(search_loop, 'try_iterations', trial)
        resume = ['--resume', tmp_path / 'with' / 'epoch_1.pth'] if name == 'resumed' else []
        tiny.run('train', config, '--work-dir', tmp_path / name, *resume, options=[f'model.type={method}', *options])
    assert warming_up == [False] * 4  # as after the warm-up
    whole = state(tmp_path / 'without' / 'epoch_3.pth')
    for name in ('with', 'resumed'):
        assert differences(state(tmp_path / name / 'epoch_3.pth'), whole) == []
    logged = losses(tmp_path / 'without')
    assert losses(tmp_path / 'with') == logged
    for iteration, lines in losses(tmp_path / 'resumed').items():
        assert lines == logged[iteration]
    text = tiny.log_text(tmp_path / 'with')
    assert re.search(r'a trial took \d+\.\d\d s per iteration of the warm-up and \d+\.\d\d s per iteration with a step '
                     r'of A; about 0:0\d:\d\d for the 6 iterations to come, without validations and the reading of '
                     'data', text)
    assert 'iteration 2 of this run took' not in text and text.count('segment 2 of 2') == (
        method == 'SeparateInterleaving')
    assert re.search(r"iteration 2 of this run took \d+\.\d\d s; about 0:0\d:\d\d for the 4 iterations to come, "
                     "without validations and A's steps", tiny.log_text(tmp_path / 'without'))


@pytest.fixture
def runner():
    model = nn.Linear(2, 1)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=.1, momentum=.9))
    return SimpleNamespace(model=model, optim_wrapper=OptimWrapperDict(encoder=wrapper),
                           logger=MMLogger.get_current_instance())


def stepping(runner, calls, kind, error=None):
    def iteration():
        calls.append(kind)
        runner.optim_wrapper['encoder'].update_params(runner.model(torch.ones(1, 2)).sum())
        if error is not None:
            raise error
    return iteration


@pytest.mark.parametrize('replay, times', [(False, 2), (True, 3)])  # kernels are recorded in the second
def test_all_iterations_are_undone(runner, replay, times):
    runner.model.replay = replay
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    calls = []
    seconds = try_iterations(
        runner, stepping(runner, calls, 'warmup'), stepping(runner, calls, 'later'), 'with epoch 3')
    assert calls == ['warmup'] * times + ['later'] * times and seconds.warmup > 0 and seconds.later > 0
    assert differences(dict(runner.model.state_dict()), before) == []
    assert runner.optim_wrapper['encoder'].optimizer.state == {}


NOTE = "This was a trial of A's step, which starts with epoch 3 and needs more memory than the warm-up."


@pytest.mark.parametrize('kind', ['warmup', 'later'])
def test_a_trial_that_needs_too_much_memory(runner, kind):
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    errors = {kind: torch.OutOfMemoryError('no memory')}
    iterations = [stepping(runner, [], name, errors.get(name)) for name in ('warmup', 'later')]
    with pytest.raises(torch.OutOfMemoryError, match='no memory') as caught:
        try_iterations(runner, *iterations, 'with epoch 3')
    assert getattr(caught.value, '__notes__', []) == ([NOTE] if kind == 'later' else [])
    assert differences(dict(runner.model.state_dict()), before) == []


def test_a_trial_that_is_not_finite(runner, caplog):
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    failing = stepping(runner, [], 'later', NonFiniteError('the loss is nan'))
    with caplog.at_level(logging.WARNING, logger=runner.logger.name):
        runner.logger.addHandler(caplog.handler)
        assert try_iterations(runner, stepping(runner, [], 'warmup'), failing, 'with epoch 3') is None
        runner.logger.removeHandler(caplog.handler)
    assert "a trial of A's step, which starts with epoch 3, failed and was undone: the loss is nan" in caplog.text
    assert differences(dict(runner.model.state_dict()), before) == []


def test_the_iteration_that_stands_for_others():
    first = FirstIterations(2)
    assert first.ended() is None and first.ended() >= 0 and first.ended() is None
    assert measured_call(SimpleNamespace()) == 2 and measured_call(SimpleNamespace(replay=True)) == 3
