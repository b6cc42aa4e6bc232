"""Many kills: trainings by one process and by two, killed at random moments, resumed, and compared bit by bit.

Not a part of ``make test``: ``python tests/stress/killed.py --kills 50``.
"""
import argparse
import itertools
import signal
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

import conftest  # noqa: E402, F401  one thread

from helpers import killed_run as killed  # noqa: E402
from helpers import tiny_run as tiny  # noqa: E402


def stress(folder, world_size, kind, kills, seeds):
    """Trainings of one kind until ``kills`` of them and of their resumed runs were killed; two kills a training.

    A kill that comes when the run has ended doesn't count.
    """
    config = killed.write_config(folder / f'{world_size}{kind}.py', folder, kind)
    whole = folder / f'whole{world_size}{kind}'
    seconds = killed.run(config, whole, world_size)
    print(f'{world_size} processes, {kind}: {seconds:.0f} s without a stop', flush=True)
    done = 0
    while done < kills:
        seed = next(seeds)
        work = folder / f'work{seed}'
        left = []
        for stop in range(2):
            codes = killed.kill_at_random(killed.start(config, work, world_size), seconds, f'{seed}.{stop}')
            done += -signal.SIGKILL in codes
            left.append(f'exit codes {codes}, left {" ".join(killed.checkpoints(work)) or "nothing"}')
        killed.run(config, work, world_size)
        killed.assert_ended_as(work, whole)
        print(f'{world_size} processes, {kind}, {done} kills: {"; then ".join(left)}; resumed, ended alike', flush=True)
    return done


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--kills', type=int, default=50, help='of trainings by each number of processes')
    parser.add_argument('--processes', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    args = parser.parse_args()
    seeds = itertools.count(args.seed)
    total = 0
    with tempfile.TemporaryDirectory() as folder, tiny.quick(), tiny.undrawn():
        tiny.write_data(Path(folder))
        for kind, world_size in itertools.product(killed.KINDS, args.processes):
            total += stress(Path(folder), world_size, kind, -(-args.kills // len(killed.KINDS)), seeds)
    print(f'{total} kills; every training ended as one that was not killed')


if __name__ == '__main__':
    main()
