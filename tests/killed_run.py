"""Searches by one process or several that are killed at some moment and resumed, compared with one that wasn't."""
import random
import signal
import time
from pathlib import Path

import ranks
import tiny_run as tiny
from search_state import differences, losses, state

ITERATIONS = 6
KINDS = ('HyperNetwork', 'StoredWeights')


def write_config(path, data, encoder_weights='HyperNetwork'):
    """Two epochs of three iterations, a checkpoint after each iteration, the last two kept; losses smoothed over 4."""
    fields = tiny.search_fields(data, rounds=1, max_epochs=2, epoch_length=3, val_begin=99)
    fields['default_hooks']['checkpoint'] = dict(by_epoch=False, max_keep_ckpts=2)
    fields['log_processor'] = dict(window_size=4)
    fields['model']['encoder_weights'] = tiny.replaced(type=encoder_weights)
    return tiny.write_config(path, 'imtnas_demo.py', **fields)


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


def kill_at_random(processes, seconds, seed):
    """SIGKILL to all processes, in a random order, at a random moment within ``seconds``; returns the exit codes.

    One that sees another die may end by itself before its own kill comes.
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
    assert differences(state(work / 'iter_6.pth'), state(whole / 'iter_6.pth')) == []
    expected = losses(whole)
    assert list(expected) == list(range(1, ITERATIONS + 1))
    found = losses(work)
    assert found.keys() == expected.keys()
    for iteration, lines in found.items():
        assert all(line == expected[iteration][0] for line in lines), iteration
    assert checkpoints(work) == ['iter_5.pth', 'iter_6.pth']
    assert (work / 'last_checkpoint').read_text() == str(work / 'iter_6.pth')
