"""A comparison of real trainings, stopped in a search and in a retraining, continues to the record of a whole one."""
import json
import os
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from helpers import (
    interruptions,  # noqa: F401
    retrainings,
)
from helpers import tiny_run as tiny
from helpers.records import comparable
from helpers.search_state import differences
from imtnas_mm.experiments import load_experiment, plan_runs
from imtnas_mm.experiments.execute import Processes, Stopped, execute

pytestmark = pytest.mark.slow


class Forked(Processes):
    """Runs the tools in forks of this process, which has imported all; one that says so in ``folder`` is stopped."""

    def __init__(self, folder):
        super().__init__()
        self.folder, self.number = folder, len(list(folder.iterdir()))

    def start(self, command, log, environment=None, keep=()):
        with self.lock:
            if self.stopped:
                raise Stopped
            pid = os.fork()
            if pid == 0:
                self.child(Path(command[1]).stem, command[2:], log)
            self.running[pid] = SimpleNamespace()
        threading.Thread(target=self.watch, args=(pid, ), daemon=True).start()
        return pid

    def child(self, tool, args, log):
        os.setsid()
        sys.stdout = sys.stderr = open(log.fileno(), 'w', buffering=1)
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
        try:
            tiny.tool(tool).main(args)
        except SystemExit as error:
            os._exit(error.code if isinstance(error.code, int) else 1)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)

    def watch(self, pid):
        while pid in self.running:
            if len(list(self.folder.iterdir())) > self.number:
                self.stop()
                return
            time.sleep(.01)


def await_stop(folder, name, iteration):
    return dict(type='imtnas_mm.Await', iteration=iteration, once=str(folder / name))


@pytest.fixture
def experiment(data, tmp_path):
    """Search, and retrain by ``cells`` of tests/helpers/retrainings.py; either waits to be stopped once."""
    marks = tmp_path / 'marks'
    marks.mkdir()
    fields = tiny.search_fields(data, ('cls', ), rounds=1, max_epochs=2, epoch_length=3)
    search = tiny.write_config(tmp_path / 'search.py', 'imtnas_demo.py', **fields,
                               custom_hooks=[await_stop(marks, 'search', 4)])
    fields = retrainings.dropout(data)
    fields['model']['backbone'].update(width_mult=1.)  # the layout of the search is narrow
    fields['default_hooks']['checkpoint'] = retrainings.LAST
    retrain = tiny.write_config(tmp_path / 'retrain.py', None, **dict(fields, custom_hooks=[
        await_stop(marks, 'retraining', 5)]))
    return marks, tiny.write_config(
        tmp_path / 'experiment.py', None, seeds=[3], rows=[dict(name='ours', search=str(search))],
        evaluations=dict(cls=dict(config=str(retrain), shape=(tiny.SIZE, tiny.SIZE))),
        columns=[dict(name='top-1', evaluation='cls', metric='accuracy/top1')])


def test_stopped_in_a_search_and_in_a_retraining(experiment, tmp_path):
    marks, file = experiment
    run, = plan_runs(load_experiment(str(file)))
    for step, name in (('search', 'search'), ('cls_retrain', 'cls')):
        with pytest.raises(Stopped):
            execute(run, tmp_path / 'stopped', Forked(marks))
        folder, = (tmp_path / 'stopped' / 'runs').iterdir()
        record = json.loads((folder / 'record.json').read_text())
        assert record['state'] == 'started' and record['steps'][step]['state'] == 'unfinished'
        assert 'SIGTERM: the training stops after iteration' in (folder / f'{step}.log').read_text()
        assert list((folder / name).glob('iter_*.pth'))
    record = execute(run, tmp_path / 'stopped', Forked(marks))
    assert sorted(path.name for path in marks.iterdir()) == ['retraining', 'search']  # each was stopped once
    assert record['state'] == 'finished', record
    whole = execute(run, tmp_path / 'whole', Forked(marks))
    assert comparable(record) == comparable(whole)
    assert len(whole['results']['search']) == 2 and 'accuracy/top1' in whole['results']['cls']['test']
    # twelve images say little of the weights that were tested
    weights, expected = (retrainings.state(next((tmp_path / name).glob('runs/*/cls/epoch_2.pth')))
                         for name in ('stopped', 'whole'))
    assert expected['position'][1] == 8 and differences(weights, expected) == []


def test_a_training_that_was_terminated_alone_is_stopped_not_failed(experiment, tmp_path):
    """SIGTERM by something else than the comparison."""
    marks, file = experiment
    for name in ('search', 'retraining'):
        (marks / name).touch()
    run, = plan_runs(load_experiment(str(file)))
    run.search.custom_hooks = [dict(type='Terminate', iteration=1)]
    with pytest.raises(Stopped):
        execute(run, tmp_path / 'work', Forked(marks))
    record = json.loads(next((tmp_path / 'work').glob('runs/*/record.json')).read_text())
    assert record['state'] == 'started'
