"""Hooks that interrupt a training at some moment of it."""
import multiprocessing
import os
import signal
import subprocess
import time

from mmengine.dist import get_rank
from mmengine.hooks import Hook

from imtnas_mm.datasets import workers
from imtnas_mm.engine.hooks import termination_hook
from imtnas_mm.registry import HOOKS


class Interruption(Hook):
    """Strikes once: within iteration ``iteration`` (from 0), or within the ``validation``-th batch of a validation.

    Args:
        once (str, optional): a file that says, once there, that it has struck
            in an earlier run.
        rank (int, optional): the only one that is struck.
        folder (str): the end of the work dir's name, of a search in phases.
    """

    def __init__(self, iteration=None, validation=None, once=None, rank=None, folder=''):
        self.iteration, self.validation, self.once, self.rank, self.folder = iteration, validation, once, rank, folder

    def _at(self, runner, wanted, now):
        if wanted != now or self.rank not in (None, get_rank()) or not runner.work_dir.endswith(self.folder):
            return
        if self.once is not None:
            if os.path.exists(self.once):
                return
            open(self.once, 'w').close()
        self.strike(runner)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self._at(runner, self.iteration, runner.iter)

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        self._at(runner, self.validation, batch_idx)


@HOOKS.register_module(force=True)
class Terminate(Interruption):
    """SIGTERM to the process, and, as Slurm and torchrun do, to its dataloaders' workers."""

    def strike(self, runner):
        pids = [process.pid for process in multiprocessing.active_children()]
        subprocess.run(['kill', '-TERM', *map(str, [*pids, os.getpid()])], check=True)  # not from their parent


@HOOKS.register_module(force=True)
class Await(Interruption):
    """Until the process has got a SIGTERM from elsewhere."""

    def strike(self, runner):
        end = time.monotonic() + 60
        while not termination_hook._received and time.monotonic() < end:
            time.sleep(.01)


@HOOKS.register_module(force=True)
class KillWorker(Interruption):
    """SIGKILL to one of a dataloader's workers, as the kernel gives it when memory runs out."""

    def __init__(self, dataloader, **options):
        super().__init__(**options)
        self.dataloader = dataloader

    def strike(self, runner):
        alive = {process.pid for process in multiprocessing.active_children()}
        worker_ids = [pid for pid, name in workers._NAMES.items() if name == self.dataloader and pid in alive]
        os.kill(worker_ids[-1], signal.SIGKILL)
        time.sleep(.1)  # until the signal that tells of it is here
