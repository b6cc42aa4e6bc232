"""Processes of one distributed job, forked, so that they start at once; over gloo."""
import multiprocessing
import os
import socket
import sys
import traceback
from pathlib import Path


def free_port():
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]


def _main(rank, world_size, port, output, function, args):
    sys.stdout = sys.stderr = open(output, 'a', buffering=1)  # pytest has put its own in their place
    for stream in (1, 2):
        os.dup2(sys.stdout.fileno(), stream)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world_size), MASTER_ADDR='127.0.0.1',
                      MASTER_PORT=str(port), CUDA_VISIBLE_DEVICES='')
    try:
        function(*args)
    except SystemExit as error:
        os._exit(error.code)
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # at once, as a process that is alone in its job ends
    os._exit(0)


def start(world_size, folder, function, *args):
    """The processes of a job, each with the environment that torchrun gives it; they write to ``folder/rank<r>.txt``.

    One process is a job without a group.
    """
    context, port = multiprocessing.get_context('fork'), free_port()
    Path(folder).mkdir(parents=True, exist_ok=True)
    processes = [
        context.Process(target=_main, args=(rank, world_size, port, Path(folder) / f'rank{rank}.txt', function, args))
        for rank in range(world_size)
    ]
    for process in processes:
        process.start()
    return processes


def join(processes, timeout=300):
    """The exit codes; processes that are alive after ``timeout`` seconds are killed."""
    for process in processes:
        process.join(timeout)
    for process in processes:
        process.kill()
        process.join()
    return [process.exitcode for process in processes]


def run(world_size, folder, function, *args):
    """A job from start to end. Raises AssertionError with what the processes wrote if one fails."""
    codes = join(start(world_size, folder, function, *args))
    assert codes == [0] * world_size, '\n'.join(output(folder, rank)[-3000:] for rank in range(world_size))


def output(folder, rank):
    return (Path(folder) / f'rank{rank}.txt').read_text()
