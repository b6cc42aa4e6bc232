"""Kills trainings at random moments, resumes them, and compares them with uninterrupted ones."""
import os
import random
import signal
import time
from pathlib import Path

from . import ranks, retrainings, search_state
from . import tiny_run as tiny

KINDS = ('HyperNetwork', 'StoredWeights', 'retraining', 'joint')
CHECKPOINTS = dict(by_epoch=False, max_keep_ckpts=2)


def write_config(path, data, kind='HyperNetwork'):
    """Two epochs, a checkpoint after each iteration, the last two kept; losses smoothed over some iterations.

    A search and a joint training have three iterations per epoch; a ``kind`` may be the search's encoder weights.
    """
    if kind == 'retraining':
        return retrainings.write_config(
            path, data, 'cells', default_hooks=dict(checkpoint=dict(retrainings.LAST, **CHECKPOINTS)),
            custom_hooks=retrainings.cells(data)['custom_hooks'][1:])
    options = dict(max_epochs=2, epoch_length=3, val_begin=99)
    if kind == 'joint':
        base = '_base_/joint_runtime.py'
        fields = dict(tiny.joint_fields(data, **options), custom_hooks=[dict(type='EMAHook', momentum=.3)])
    else:
        base, fields = 'imtnas_demo.py', tiny.search_fields(data, rounds=1, **options)
        fields['model']['encoder_weights'] = tiny.replaced(type=kind)
    fields['default_hooks']['checkpoint'] = CHECKPOINTS
    fields['log_processor'] = dict(window_size=4)
    return tiny.write_config(path, base, **fields)


def arguments(config, work, world_size):
    launcher = () if world_size == 1 else ('--launcher', 'pytorch')
    return 'train', config, '--work-dir', work, '--resume', *launcher


def start(config, work, world_size=1, prepare=None):
    """Train with ``--resume``; returns the processes."""
    def main():
        if prepare is not None:
            prepare()
        tiny.run(*arguments(config, work, world_size))
    return ranks.start(world_size, Path(work) / 'output', main)


def run(config, work, world_size=1):
    """To the end, in processes of its own; returns the seconds it took."""
    begun = time.monotonic()
    ranks.run(world_size, Path(work) / 'output', tiny.run, *arguments(config, work, world_size))
    return time.monotonic() - begun


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


def kill_at_random(processes, seconds, seed):
    """SIGKILL to all processes, in a random order, at a random moment within ``seconds``; returns the exit codes.

    A process that sees another die may end by itself before its kill comes.
    """
    rng = random.Random(seed)
    time.sleep(rng.random() * seconds)
    for process in rng.sample(processes, len(processes)):
        process.kill()
    codes = ranks.join(processes)
    assert set(codes) <= {-signal.SIGKILL, 0, 1}, codes
    return codes


def checkpoints(work):
    return sorted(path.name for path in work.glob('*.pth*'))


def assert_ended_as(work, whole):
    last = (whole / 'last_checkpoint').read_text().rpartition('/')[2]
    is_search = 'encoder' in tiny.checkpoint(whole / last)['optimizer']
    state = search_state.state if is_search else retrainings.state
    assert search_state.differences(state(work / last), state(whole / last)) == []
    number = int(last[5:-4])
    expected = search_state.losses(whole)
    assert list(expected) == list(range(1, number + 1))
    logged = search_state.losses(work)
    assert logged.keys() == expected.keys()
    for iteration, lines in logged.items():
        assert all(line == expected[iteration][0] for line in lines), iteration
    assert checkpoints(work) == sorted([f'iter_{number - 1}.pth', f'iter_{number}.pth'])
    assert (work / 'last_checkpoint').read_text() == str(work / last)
