"""SIGTERM: the iteration ends, a checkpoint is there, and the resumed run ends as one that wasn't stopped."""
import json
import multiprocessing
import signal
import subprocess
import time

import pytest
import torch
from torch.utils.data import DataLoader

from helpers import (
    interruptions,  # noqa: F401
    ranks,
    retrainings,
    search_state,
)
from helpers import killed_run as killed
from helpers import tiny_run as tiny
from helpers.search_state import differences
from helpers.tiny_run import no_pictures  # noqa: F401
from imtnas_mm.datasets.workers import watch_workers
from imtnas_mm.engine.hooks import termination_hook


def search(path, data, **hook):
    """Two epochs of three iterations, a checkpoint after each epoch, a validation after the first and the last."""
    fields = tiny.search_fields(data, ('cls', ), rounds=1, max_epochs=2, epoch_length=3)
    return tiny.write_config(path, 'imtnas_demo.py', **fields, custom_hooks=[dict(type='Terminate', **hook)])


def retraining(path, data, **hook):
    """Two epochs of six iterations, the same."""
    hooks = [one for one in retrainings.cells(data)['custom_hooks'] if one is not retrainings.EVERY_ITERATION]
    hooks.append(dict(type='imtnas_mm.Terminate', **hook))
    return retrainings.write_config(path, data, 'cells', custom_hooks=hooks)


def joint(path, data, **hook):
    """Two epochs of three iterations of two tasks, the same."""
    fields = tiny.joint_fields(data, max_epochs=2, epoch_length=3)
    return tiny.write_config(path, '_base_/joint_runtime.py', **fields, custom_hooks=[
        dict(type='EMAHook', momentum=.3), dict(type='Terminate', **hook)])


KINDS = dict(search=(search, search_state.state), retraining=(retraining, retrainings.state),
             joint=(joint, retrainings.state))


@pytest.fixture(scope='module', params=list(KINDS))
def whole(request, data, tmp_path_factory):
    """Maker of the config, reader of the state, and work dir of a training that ran without a stop."""
    write, state = KINDS[request.param]
    folder = tmp_path_factory.mktemp('whole')
    tiny.run('train', write(folder / 'tiny.py', data), '--work-dir', folder / 'work')
    return write, state, folder / 'work'


def terminated(*args, options=()):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as error:
        tiny.run('train', *args, options=options)
    assert error.value.code == 143 and signal.getsignal(signal.SIGTERM) is before


def validations(work_dir):
    """What each validation gave, by its step; those of one step alike."""
    actual = {}
    for file in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in json.loads(f'[{",".join(file.read_text().splitlines())}]'):
            if 'iter' not in line:
                figures = {key: value for key, value in line.items() if key not in ('time', 'data_time')}
                assert actual.setdefault(line['step'], figures) == figures
    return actual


def assert_ends_as(whole, work, name='epoch_2.pth'):
    _, state, expected = whole
    assert differences(state(expected / name), state(work / name)) == []
    assert retrainings.logged(work) == retrainings.logged(expected)
    assert validations(work) == validations(expected) and len(validations(work)) == 2
    assert sorted(path.name for path in work.glob('*.pth')) == ['epoch_1.pth', 'epoch_2.pth']
    assert (work / 'last_checkpoint').read_text() == str(work / 'epoch_2.pth')


@pytest.mark.parametrize('place', ['within', 'end'])
def test_stopped_after_an_iteration(whole, data, tmp_path, place):
    write, _, expected = whole
    length = max(retrainings.logged(expected)) // 2
    done = length + 1 if place == 'within' else length
    work = tmp_path / 'work'
    config = write(tmp_path / 'tiny.py', data, iteration=done - 1, once=str(tmp_path / 'once'))
    terminated(config, '--work-dir', work)
    path = work / f'iter_{done}.pth'
    assert (work / 'last_checkpoint').read_text() == str(path)
    assert max(retrainings.logged(work)) == done  # its losses are logged
    assert f'SIGTERM: the training stops after iteration {done}, which {path} holds; --resume goes on' in \
        tiny.log_text(work)
    tiny.run('train', config, '--work-dir', work, '--resume')
    assert_ends_as(whole, work)  # the checkpoint of the stop has made way for the next


def test_stopped_twice_in_an_epoch(data, tmp_path):
    """The checkpoint of the second stop replaces that of the first."""
    work, longer = tmp_path / 'work', ['train_cfg.epoch_length=3']
    for iteration, resume in ((0, []), (1, ['--resume'])):
        config = search(tmp_path / 'tiny.py', data, iteration=iteration, once=str(tmp_path / f'once{iteration}'))
        terminated(config, '--work-dir', work, *resume, options=longer)
        assert [path.name for path in work.glob('*.pth')] == [f'iter_{iteration + 1}.pth']
        assert (work / 'last_checkpoint').read_text() == str(work / f'iter_{iteration + 1}.pth')


def test_a_run_in_another_work_dir_leaves_the_checkpoint_of_the_stop(data, tmp_path):
    config = search(tmp_path / 'tiny.py', data, iteration=3, once=str(tmp_path / 'once'))
    terminated(config, '--work-dir', tmp_path / 'work')
    path = tmp_path / 'work' / 'iter_4.pth'
    tiny.run('train', config, '--work-dir', tmp_path / 'other', '--resume', path)
    assert path.exists() and [file.name for file in (tmp_path / 'other').glob('*.pth')] == ['epoch_2.pth']


@pytest.mark.parametrize('batch', [0, 1])
def test_stopped_within_a_validation(whole, data, tmp_path, batch):
    """The checkpoint has the weights of the training, not the averages that are validated."""
    config = whole[0](tmp_path / 'tiny.py', data, validation=batch, once=str(tmp_path / 'once'))
    work = tmp_path / 'work'
    terminated(config, '--work-dir', work)
    assert validations(work) == {}
    tiny.run('train', config, '--work-dir', work, '--resume')
    assert_ends_as(whole, work)


def test_a_checkpoint_of_an_iteration_between_is_written_in_a_validation(whole, data, tmp_path):
    """There is none of the epoch that is validated."""
    config = whole[0](tmp_path / 'tiny.py', data, validation=0, once=str(tmp_path / 'once'))
    work, none = tmp_path / 'work', ['default_hooks.checkpoint.interval=2']
    terminated(config, '--work-dir', work, options=none)
    done = max(retrainings.logged(work))
    assert [path.name for path in work.glob('*.pth')] == [f'iter_{done}.pth']
    tiny.run('train', config, '--work-dir', work, '--resume', options=none)
    _, state, expected = whole
    assert differences(state(expected / 'epoch_2.pth'), state(work / 'epoch_2.pth')) == []
    assert validations(work) == validations(expected)


def test_workers_outlast_it(data, tmp_path):
    """The iteration is ended, though all processes got the signal."""
    config = retraining(tmp_path / 'tiny.py', data, iteration=1)
    terminated(config, '--work-dir', tmp_path / 'work', options=[
        'train_dataloader.num_workers=2', 'train_dataloader.persistent_workers=True'])
    assert (tmp_path / 'work' / 'iter_2.pth').exists()


def test_workers_end_when_their_process_tells_them():
    """As torch does with those that are left at the end of Python."""
    before = multiprocessing.active_children()
    loader = watch_workers(DataLoader(torch.zeros(4), num_workers=1, persistent_workers=True), 'some_dataloader')
    assert len(list(loader)) == 4
    worker, = [process for process in multiprocessing.active_children() if process not in before]
    subprocess.run(['kill', '-TERM', str(worker.pid)], check=True)
    worker.join(.5)
    assert worker.is_alive() and len(list(loader)) == 4
    worker.terminate()
    worker.join(20)
    assert worker.exitcode == 0


def test_before_the_first_iteration(data, tmp_path, monkeypatch):
    class Early(termination_hook.TerminationHook):
        def before_train(self, runner):
            signal.raise_signal(signal.SIGTERM)
            super().before_train(runner)

    monkeypatch.setattr('imtnas_mm.engine.launch.build.TerminationHook', Early)
    terminated(retraining(tmp_path / 'tiny.py', data), '--work-dir', tmp_path / 'work')
    assert 'stops before it began; no checkpoint is written' in tiny.log_text(tmp_path / 'work')
    assert not list((tmp_path / 'work').glob('*.pth'))


def test_a_second_one_ends_it_at_once(tmp_path):
    def main():
        with termination_hook.sigterm_noted():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)  # repeated by a launcher: one and the same
            (tmp_path / 'noted').touch()
            termination_hook._received[0] -= 2 * termination_hook.REPEATED
            while True:
                time.sleep(.01)

    process, = ranks.start(1, tmp_path, main)
    while not (tmp_path / 'noted').exists():
        time.sleep(.01)
    time.sleep(.1)
    process.terminate()
    assert ranks.join([process], 20) == [143]


@pytest.mark.slow
def test_two_processes_of_which_one_is_told(data, tmp_path):
    """Each goes on with the statistics of batch normalisation that it had."""
    config = retraining(tmp_path / 'tiny.py', data, rank=1, iteration=1, once=str(tmp_path / 'once'))
    whole = retraining(tmp_path / 'whole.py', data)
    killed.run(whole, tmp_path / 'whole', 2)
    work = tmp_path / 'work'
    assert ranks.join(killed.start(config, work, 2)) == [143, 143]
    assert (work / 'last_checkpoint').read_text() == str(work / 'iter_2.pth')
    killed.run(config, work, 2)
    assert_ends_as((None, retrainings.state, tmp_path / 'whole'), work)
    buffers, expected = (tiny.checkpoint(folder / 'epoch_2.pth')['message_hub']['runtime_info']['rank_buffers']
                         for folder in (work, tmp_path / 'whole'))
    assert differences(buffers, expected) == [] and differences(*buffers)


@pytest.mark.slow
def test_two_processes_stop_within_a_validation(data, tmp_path):
    config = retraining(tmp_path / 'tiny.py', data, rank=1, validation=0, once=str(tmp_path / 'once'))
    work = tmp_path / 'work'
    assert ranks.join(killed.start(config, work, 2)) == [143, 143]
    assert validations(work) == {}
    killed.run(config, work, 2)
    assert len(validations(work)) == 2
