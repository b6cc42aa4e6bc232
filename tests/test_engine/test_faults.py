"""A training when a worker dies, the disk is full, the work dir can't be written, or a file is damaged."""
import errno
import os
from pathlib import Path

import pytest
from mmengine.hooks import Hook

from helpers import (
    interruptions,  # noqa: F401
    retrainings,
)
from helpers import tiny_run as tiny
from helpers.search_state import differences
from imtnas_mm.checkpoint import CheckpointError, latest_checkpoint
from imtnas_mm.datasets.workers import WorkerError
from imtnas_mm.registry import HOOKS


def search(path, data, **fields):
    return tiny.write_config(path, 'imtnas_demo.py', **tiny.search_fields(data, ('cls', ), rounds=1, max_epochs=1,
                                                                          epoch_length=4), **fields)


def retraining(path, data, **changes):
    return retrainings.write_config(path, data, 'dropout', **changes)


@pytest.mark.parametrize('persistent', [False, True])
@pytest.mark.parametrize('kind, dataloader', [
    ('retraining', 'train_dataloader'), ('retraining', 'val_dataloader'), ('search', 'train_dataloader.cls'),
    ('search', 'val_dataloader.cls')])
def test_a_worker_that_dies_is_named(data, tmp_path, kind, dataloader, persistent):
    moment = dict(iteration=2) if 'train' in dataloader else dict(validation=1)
    hook = dict(type='imtnas_mm.KillWorker', dataloader=dataloader, **moment)
    if kind == 'search':
        config = search(tmp_path / 'tiny.py', data, custom_hooks=[hook])
    else:
        config = retraining(tmp_path / 'tiny.py', data, custom_hooks=[hook])
    options = [f'{dataloader}.num_workers=1', f'{dataloader}.persistent_workers={persistent}']
    saved = 'default_hooks.checkpoint.interval=1', 'default_hooks.checkpoint.by_epoch=False'
    work = tmp_path / 'work'
    with pytest.raises(WorkerError) as error:
        tiny.run('train', config, '--work-dir', work, options=[*options, *saved])
    text = str(error.value)
    assert text.startswith(f'{dataloader}: a worker process died, and the run stops: DataLoader worker (pid')
    assert f'set a lower {dataloader}.num_workers or batch_size' in text and '--resume goes on' in text
    done = 2 if 'train' in dataloader else 4
    assert (work / 'last_checkpoint').read_text() == str(work / f'iter_{done}.pth')


def test_a_persistent_worker_of_a_validation_that_dies_in_the_next_epoch(data, tmp_path):
    hook = dict(type='imtnas_mm.KillWorker', dataloader='val_dataloader', iteration=5)
    config = retraining(tmp_path / 'tiny.py', data, custom_hooks=[hook])
    with pytest.raises(WorkerError, match='^val_dataloader: a worker process died'):
        tiny.run('train', config, '--work-dir', tmp_path / 'work', options=[
            'val_dataloader.num_workers=1', 'val_dataloader.persistent_workers=True'])


def test_a_full_disk_while_a_retraining_is_saved(data, tmp_path, monkeypatch):
    config = retraining(tmp_path / 'tiny.py', data, custom_hooks=[])
    tiny.run('train', config, '--work-dir', tmp_path / 'whole')
    fsync, calls = os.fsync, []

    def full(file):
        calls.append(file)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(file)
    work = tmp_path / 'work'
    with monkeypatch.context() as patch:
        patch.setattr(os, 'fsync', full)
        with pytest.raises(OSError, match=r'could not be written \(No space left on device\).*epoch_2.pth'):
            tiny.run('train', config, '--work-dir', work)
    assert [path.name for path in work.glob('*.pth*')] == ['epoch_1.pth']
    tiny.run('train', config, '--work-dir', work, '--resume')
    whole, resumed = (retrainings.state(folder / 'epoch_2.pth') for folder in (tmp_path / 'whole', work))
    assert differences(whole, resumed) == []


@HOOKS.register_module(force=True)
class FillDisk(Hook):
    """Before the third iteration, what is written to a file of the work dir meets a full disk."""

    def __init__(self, name):
        self.name = name

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 2:
            name = self.name.format(pid=os.getpid())
            path, = Path(runner.work_dir).glob(name) if '*' in name else [Path(runner.work_dir, name)]
            path.unlink(missing_ok=True)
            path.symlink_to('/dev/full')


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='no /dev/full')
@pytest.mark.parametrize('name, message', [
    ('.architecture.json.{pid}.part', r'architecture.json'),
    ('architecture.svg', r'a log or a picture could not be written, and the run stops.*work'),
    ('*/vis_data/scalars.json', r'a log or a picture could not be written, and the run stops.*work'),
])
def test_a_full_disk_while_something_else_is_written(data, tmp_path, name, message):
    """The run stops, and the checkpoints from before it stay."""
    config = search(tmp_path / 'tiny.py', data, custom_hooks=[dict(type='FillDisk', name=name)])
    work = tmp_path / 'work'
    with pytest.raises(OSError, match=message) as error:
        tiny.run('train', config, '--work-dir', work, options=[
            'default_hooks.checkpoint.by_epoch=False', 'default_hooks.checkpoint.interval=1'])
    assert error.value.errno == errno.ENOSPC and str(work) in str(error.value)
    assert latest_checkpoint(work) == str(work / 'iter_2.pth')


@pytest.mark.parametrize('tool', ['train', 'test'])
def test_a_work_dir_that_cannot_be_written(data, tmp_path, tool, monkeypatch):
    """It is found out before the data are looked at."""
    (tmp_path / 'file').touch()
    (tmp_path / 'a.pth').write_bytes(b'weights')
    config = retraining(tmp_path / 'tiny.py', data / 'not there')
    checkpoint = [tmp_path / 'a.pth'] if tool == 'test' else []
    with pytest.raises(SystemExit, match=rf'--work-dir: {tmp_path}/file/work cannot be written to \(Not a directory\)'):
        tiny.run(tool, config, *checkpoint, '--work-dir', tmp_path / 'file' / 'work')

    def refused(**_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    monkeypatch.setattr('imtnas_mm.engine.launch.checks.tempfile.TemporaryFile', refused)
    with pytest.raises(SystemExit, match=rf'--work-dir: {tmp_path}/work cannot be written to \(Permission denied\)'):
        tiny.run(tool, config, *checkpoint, '--work-dir', tmp_path / 'work')


@pytest.fixture(scope='module')
def trained(data, tmp_path_factory):
    """The work dir of a retraining of two epochs."""
    folder = tmp_path_factory.mktemp('trained')
    tiny.run('train', retraining(folder / 'tiny.py', data, custom_hooks=[]), '--work-dir', folder / 'work')
    return folder / 'work'


@pytest.mark.parametrize('content, message', [
    (b'', 'last_checkpoint: names no checkpoint'),
    (b'\0\0\0\0', 'last_checkpoint: names no checkpoint'),
    (b'\x80\xff\x12', 'last_checkpoint: is damaged'),
    (b'x' * 9999, 'cannot be loaded as a checkpoint'),
    (b'/nowhere/epoch_2.pth', '/nowhere/epoch_2.pth: cannot be loaded as a checkpoint'),
    ('a folder', 'last_checkpoint: is damaged'),
    (None, 'last_checkpoint: is missing'),
])
def test_a_damaged_last_checkpoint_file(trained, tmp_path, monkeypatch, content, message):
    said = []
    monkeypatch.setattr('imtnas_mm.checkpoint.print_log', lambda text, *_: said.append(text))
    for name in ('epoch_1.pth', 'epoch_2.pth'):
        os.link(trained / name, tmp_path / name)
    record = tmp_path / 'last_checkpoint'
    if content == 'a folder':
        record.mkdir()
    elif content is not None:
        record.write_bytes(content)
    assert latest_checkpoint(tmp_path) == str(tmp_path / 'epoch_2.pth')
    text, = said
    assert message in text and f'Resuming from {tmp_path / "epoch_2.pth"} instead' in text
    for name in ('epoch_1.pth', 'epoch_2.pth'):
        (tmp_path / name).unlink()
    if content is None:
        assert latest_checkpoint(tmp_path) is None
    else:
        with pytest.raises(CheckpointError, match='No whole checkpoint is left'):
            latest_checkpoint(tmp_path)
