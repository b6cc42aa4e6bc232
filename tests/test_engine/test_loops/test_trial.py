"""The trial of A's step at the start of a warm-up leaves no trace in the results, and its time is in the lines."""
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
from imtnas_mm.engine.loops.trial import TrialSeconds, try_iterations
from imtnas_mm.finite import NonFiniteError


def test_a_search_is_the_same_as_without(data, tmp_path, monkeypatch):
    results = {}
    for name in ('with', 'without'):
        if name == 'without':
            monkeypatch.setattr(search_loop, 'try_iterations', lambda runner, iteration, starts: None)
        fields = tiny.search_fields(data, max_epochs=3, warmup_epochs=2)
        config = tiny.write_config(tmp_path / f'{name}.py', 'imtnas_demo.py', **fields)
        tiny.run('train', config, '--work-dir', tmp_path / name)
        results[name] = state(tmp_path / name / 'epoch_3.pth'), losses(tmp_path / name)
    assert differences(results['with'], results['without']) == []
    text = tiny.log_text(tmp_path / 'with')
    assert re.search(r'a trial took \d+\.\d\d s per iteration and \d+\.\d\d s per step of A; about 0:0\d:\d\d for the '
                     '6 iterations to come, without validations', text)
    assert 'the second iteration took' not in text
    assert re.search(r'the second iteration took \d+\.\d\d s; about 0:0\d:\d\d for the 4 iterations to come',
                     tiny.log_text(tmp_path / 'without'))


@pytest.fixture
def runner():
    model = nn.Linear(2, 1)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=.1, momentum=.9))
    return SimpleNamespace(model=model, optim_wrapper=OptimWrapperDict(encoder=wrapper),
                           logger=MMLogger.get_current_instance())


def stepping(runner, calls, error=None):
    def iteration(steps):
        calls.append(steps)
        runner.optim_wrapper['encoder'].update_params(runner.model(torch.ones(1, 2)).sum())
        if error is not None:
            raise error
    return iteration


def test_all_iterations_are_undone(runner):
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    calls = []
    seconds = try_iterations(runner, stepping(runner, calls), 'with epoch 3')
    assert calls == [True, False, True] and seconds.without > 0 and seconds.with_step > 0
    assert differences(dict(runner.model.state_dict()), before) == []
    assert runner.optim_wrapper['encoder'].optimizer.state == {}
    assert TrialSeconds(1., 2.5).step == 1.5 and TrialSeconds(2., 1.9).step == 0


@pytest.mark.parametrize('error', [NonFiniteError('the loss is nan'), torch.OutOfMemoryError('no memory')])
def test_a_trial_that_fails(runner, error, caplog):
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    if isinstance(error, NonFiniteError):
        assert try_iterations(runner, stepping(runner, [], error), 'with epoch 3') is None
    else:
        with pytest.raises(torch.OutOfMemoryError, match='no memory') as caught:
            try_iterations(runner, stepping(runner, [], error), 'with epoch 3')
        assert caught.value.__notes__ == [
            "This was a trial of A's step, which starts with epoch 3 and needs more memory than the warm-up."]
    assert differences(dict(runner.model.state_dict()), before) == []
