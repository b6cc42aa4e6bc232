"""AtomicCheckpointHook: whatever stops a run, it leaves a whole checkpoint, from which it ends as if it hadn't
stopped."""
import errno
import logging
import os
import signal
from pathlib import Path

import pytest
from mmengine.logging import MessageHub

from helpers import killed_run as killed
from helpers import ranks
from helpers import tiny_run as tiny
from helpers.killed_run import assert_ended_as, checkpoints, killed_at_call
from helpers.tiny_run import no_pictures  # noqa: F401
from imtnas_mm.checkpoint import CheckpointError
from imtnas_mm.engine import AtomicCheckpointHook
from imtnas_mm.engine.hooks import checkpoint_hook


@pytest.fixture(scope='module')
def config(data, tmp_path_factory):
    return killed.write_config(tmp_path_factory.mktemp('config') / 'tiny.py', data)


@pytest.fixture(scope='module')
def whole(config, tmp_path_factory):
    """The work dir of a search that ran without a stop."""
    work = tmp_path_factory.mktemp('whole')
    tiny.run('train', config, '--work-dir', work)
    return work


def half(file):
    os.ftruncate(file, os.fstat(file).st_size // 2)


@pytest.mark.parametrize('name, damage, left', [
    ('fsync', half, ['iter_2.pth', 'iter_3.pth', 'iter_4.pth.part']),  # half of it written
    ('replace', None, ['iter_2.pth', 'iter_3.pth', 'iter_4.pth.part']),  # whole, without its name
    ('replace', os.replace, ['iter_2.pth', 'iter_3.pth', 'iter_4.pth']),  # named, the others as they were
])
def test_killed_while_writing_a_checkpoint(config, whole, tmp_path, name, damage, left):
    processes = killed.start(config, tmp_path, prepare=lambda: killed_at_call(name, 4, damage))
    assert ranks.join(processes) == [-signal.SIGKILL]
    assert checkpoints(tmp_path) == left
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'iter_3.pth')
    tiny.run('train', config, '--work-dir', tmp_path, '--resume')
    assert_ended_as(tmp_path, whole)


@pytest.fixture
def stopped(config, tmp_path):
    """The work dir of a search killed after its third iteration."""
    ranks.join(killed.start(config, tmp_path, prepare=lambda: killed_at_call('fsync', 4)))
    assert checkpoints(tmp_path) == ['iter_2.pth', 'iter_3.pth', 'iter_4.pth.part']
    return tmp_path


def test_damaged_checkpoints(config, whole, stopped):
    last = stopped / 'iter_3.pth'
    content = last.read_bytes()
    refused = r'iter_3.pth: cannot be loaded as a checkpoint'
    for damaged, error, message in ((content[:len(content) // 2], CheckpointError, refused), (
            b'garbage' * 99, CheckpointError, refused), (b'', SystemExit, r"--resume: '.*iter_3.pth' is empty")):
        last.write_bytes(damaged)
        with pytest.raises(error, match=message):
            tiny.run('train', config, '--work-dir', stopped, '--resume', last)
    tiny.run('train', config, '--work-dir', stopped, '--resume')
    text = ''.join(file.read_text() for file in stopped.glob('*/*.log'))
    assert f'{last}: cannot be loaded as a checkpoint' in text
    assert f'Resuming from {stopped / "iter_2.pth"} instead' in text
    assert_ended_as(stopped, whole)


def test_all_checkpoints_damaged(config, stopped):
    for name in ('iter_2.pth', 'iter_3.pth'):
        (stopped / name).write_bytes(b'')
    with pytest.raises(CheckpointError, match=r'iter_3.pth: .*iter_2.pth: .*No whole checkpoint is left'):
        tiny.run('train', config, '--work-dir', stopped, '--resume')


def test_full_disk(config, whole, tmp_path, monkeypatch):
    fsync, calls = os.fsync, []

    def full(file):
        calls.append(file)
        if len(calls) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(file)
    with monkeypatch.context() as patch:
        patch.setattr(os, 'fsync', full)
        with pytest.raises(OSError, match=r'could not be written \(No space left on device\).*iter_4.pth') as error:
            tiny.run('train', config, '--work-dir', tmp_path)
    assert error.value.errno == errno.ENOSPC
    assert checkpoints(tmp_path) == ['iter_2.pth', 'iter_3.pth']
    tiny.run('train', config, '--work-dir', tmp_path, '--resume')
    assert_ended_as(tmp_path, whole)


def test_the_best_checkpoint_of_another_work_dir_stays(tmp_path, monkeypatch):
    """A resumed run knows it, and mmengine removes the last best one once another is better."""
    here, there = str(tmp_path / 'here' / 'best_a.pth'), str(tmp_path / 'there' / 'best_a.pth')

    def before_train(hook, runner):
        hook.out_dir = str(tmp_path / 'here')
        hook.best_ckpt_path = there
        hook.best_ckpt_path_dict = dict(a=here, b=there, c=None)

    monkeypatch.setattr(checkpoint_hook.CheckpointHook, 'before_train', before_train)
    monkeypatch.setattr(checkpoint_hook, 'restore_rank_buffers', lambda runner: None)
    hook = AtomicCheckpointHook(interval=1)
    hook.before_train(None)
    assert hook.best_ckpt_path is None and hook.best_ckpt_path_dict == dict(a=here, b=None, c=None)


class Trained:
    """What the hook asks a runner for; ``fails`` is a full disk."""

    def __init__(self, folder, backend, fails=False):
        self.work_dir, self.epoch, self.iter, self.fails, self.backend = str(folder), 1, 10, fails, backend
        self.message_hub, self.logger = MessageHub.get_instance(str(folder)), logging.getLogger('trained')

    def save_checkpoint(self, folder, filename, **options):
        if self.fails:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.backend.put(b'weights', os.path.join(folder, filename))


def test_the_last_best_checkpoint_goes_once_the_next_is_written(tmp_path, monkeypatch):
    hook = AtomicCheckpointHook(interval=1, save_best='top1', rule='greater')
    hook.file_backend, hook.out_dir = checkpoint_hook.AtomicBackend(), str(tmp_path)
    monkeypatch.setattr(checkpoint_hook, 'write_checkpoint', lambda path, obj: Path(path).write_bytes(obj))
    hook.best_ckpt_path = None
    runner = Trained(tmp_path, hook.file_backend)
    hook._save_best_checkpoint(runner, dict(top1=50.))
    assert checkpoints(tmp_path) == ['best_top1_epoch_1.pth']
    runner.epoch, runner.fails = 2, True
    with pytest.raises(OSError, match='No space'):
        hook._save_best_checkpoint(runner, dict(top1=60.))
    assert checkpoints(tmp_path) == ['best_top1_epoch_1.pth']
    runner.fails, hook.best_ckpt_path = False, str(tmp_path / 'best_top1_epoch_1.pth')
    hook._save_best_checkpoint(runner, dict(top1=70.))
    assert checkpoints(tmp_path) == ['best_top1_epoch_2.pth']
    hook.file_backend.remove(tmp_path / 'best_top1_epoch_2.pth')
    assert checkpoints(tmp_path) == []


def test_other_backends_are_refused():
    with pytest.raises(ValueError, match='AtomicCheckpointHook: .*neither backend_args'):
        AtomicCheckpointHook(interval=1, backend_args=dict(backend='petrel'))


def test_a_mistyped_option_is_refused_before_the_training():
    with pytest.raises(TypeError, match="AtomicCheckpointHook.__init__.* unexpected keyword argument 'intervall'"):
        AtomicCheckpointHook(intervall=3)
