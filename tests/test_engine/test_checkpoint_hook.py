"""AtomicCheckpointHook: whatever stops a run, it leaves a whole checkpoint, from which it ends as if it hadn't
stopped."""
import errno
import multiprocessing
import os
import random
import signal
import time

import pytest
import tiny_run as tiny
from search_state import differences, losses, state

from imtnas_mm.checkpoint import CheckpointError
from imtnas_mm.engine import AtomicCheckpointHook

ITERATIONS = 6


@pytest.fixture(scope='module', autouse=True)
def no_pictures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('imtnas_mm.engine.architecture_hook.draw_genotype', lambda *args, **options: None)
        yield


@pytest.fixture(scope='module')
def config(data, tmp_path_factory):
    """Two epochs of three iterations, a checkpoint after each iteration, the last two kept; losses smoothed over 4."""
    fields = tiny.search_fields(data, rounds=1, max_epochs=2, epoch_length=3, val_begin=99)
    fields['default_hooks']['checkpoint'] = dict(by_epoch=False, max_keep_ckpts=2)
    fields['log_processor'] = dict(window_size=4)
    return tiny.write_config(tmp_path_factory.mktemp('config') / 'tiny.py', 'imtnas_demo.py', **fields)


@pytest.fixture(scope='module')
def whole(config, tmp_path_factory):
    """The work dir of a search that ran without a stop."""
    work = tmp_path_factory.mktemp('whole')
    tiny.run('train', config, '--work-dir', work)
    return work


def checkpoints(work):
    return sorted(path.name for path in work.glob('*.pth*'))


def assert_ended_as(work, whole):
    assert differences(state(work / 'iter_6.pth'), state(whole / 'iter_6.pth')) == []
    expected = losses(whole)
    assert list(expected) == list(range(1, ITERATIONS + 1))
    for iteration, lines in losses(work).items():
        assert all(line == expected[iteration][0] for line in lines), iteration
    assert checkpoints(work) == ['iter_5.pth', 'iter_6.pth']
    assert (work / 'last_checkpoint').read_text() == str(work / 'iter_6.pth')


def in_process(config, work, prepare):
    """Train with ``--resume`` in a process of its own, forked, so that it starts at once."""
    def main():
        prepare()
        tiny.run('train', config, '--work-dir', work, '--resume')
    process = multiprocessing.get_context('fork').Process(target=main)
    process.start()
    return process


def killed_at_call(name, number, damage=None):
    """Makes the ``number``-th call of a function of ``os`` on a checkpoint a SIGKILL."""
    function, calls = getattr(os, name), []

    def call(*args):
        of_checkpoint = name == 'fsync' or str(args[-1]).endswith('.pth')
        calls.append(1) if of_checkpoint else None
        if of_checkpoint and len(calls) == number:
            if damage:
                damage(*args)
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args)
    setattr(os, name, call)


def half(file):
    os.ftruncate(file, os.fstat(file).st_size // 2)


@pytest.mark.parametrize('name, damage, left', [
    ('fsync', half, ['iter_2.pth', 'iter_3.pth', 'iter_4.pth.part']),  # half of it written
    ('replace', None, ['iter_2.pth', 'iter_3.pth', 'iter_4.pth.part']),  # whole, without its name
    ('replace', os.replace, ['iter_2.pth', 'iter_3.pth', 'iter_4.pth']),  # named, the others as they were
])
def test_killed_while_writing_a_checkpoint(config, whole, tmp_path, name, damage, left):
    process = in_process(config, tmp_path, lambda: killed_at_call(name, 4, damage))
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert checkpoints(tmp_path) == left
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'iter_3.pth')
    tiny.run('train', config, '--work-dir', tmp_path, '--resume')
    assert_ended_as(tmp_path, whole)


@pytest.mark.slow
@pytest.mark.parametrize('seed', range(4))
def test_killed_at_a_random_moment_and_resumed(config, whole, tmp_path, seed):
    rng = random.Random(seed)
    number, delay = rng.randrange(ITERATIONS), rng.random() * .3
    process = in_process(config, tmp_path, lambda: None)
    begun = time.time()
    while len(losses(tmp_path)) < number and process.is_alive() and time.time() < begun + 120:
        time.sleep(.01)
    time.sleep(delay)
    process.kill()
    process.join(60)
    assert process.exitcode in (-signal.SIGKILL, 0)
    tiny.run('train', config, '--work-dir', tmp_path, '--resume')
    assert_ended_as(tmp_path, whole)


@pytest.fixture
def stopped(config, tmp_path):
    """The work dir of a search killed after its third iteration."""
    process = in_process(config, tmp_path, lambda: killed_at_call('fsync', 4))
    process.join(120)
    assert checkpoints(tmp_path) == ['iter_2.pth', 'iter_3.pth', 'iter_4.pth.part']
    return tmp_path


def test_damaged_checkpoints(config, whole, stopped):
    last = stopped / 'iter_3.pth'
    content = last.read_bytes()
    for damaged in (content[:len(content) // 2], b'garbage' * 99, b''):
        last.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r'iter_3.pth: cannot be loaded as a checkpoint'):
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


def test_other_backends_are_refused():
    with pytest.raises(ValueError, match='AtomicCheckpointHook: .*neither backend_args'):
        AtomicCheckpointHook(interval=1, backend_args=dict(backend='petrel'))
