"""Hook for SIGTERM: the training ends its iteration, writes a checkpoint and exits."""
import os
import signal
import time
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.dist import all_gather, all_reduce, get_backend, get_rank, get_world_size
from mmengine.hooks import EMAHook, Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner

from ...compat.runner import built_loops
from ...registry import HOOKS
from .checkpoint_hook import save_stopped

EXIT_CODE = 128 + signal.SIGTERM
# Slurm sends a SIGTERM to all processes of a job, and torchrun then another to those it started
REPEATED = 3.  # seconds in which further signals count as the first

STOPPED = 'SIGTERM: the training stops'  # begins the line in the log

_received = []  # time of the first SIGTERM


class Terminated(SystemExit):
    """The training stopped because of a SIGTERM; Python exits with code 143."""

    def __init__(self) -> None:
        super().__init__(EXIT_CODE)


def _note(*_):
    if _received and time.monotonic() - _received[0] > REPEATED:
        os._exit(EXIT_CODE)
    if not _received:
        _received.append(time.monotonic())


@contextmanager
def sigterm_noted() -> Iterator[None]:
    """Inside, a SIGTERM makes a :class:`TerminationHook` stop the training; a second, later SIGTERM ends it at once."""
    before = signal.signal(signal.SIGTERM, _note)
    _received.clear()
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        _received.clear()


def _told(group):
    """Whether any process of a group got a SIGTERM; all must ask together."""
    if get_world_size() == 1:
        return bool(_received)
    flag = torch.tensor(int(bool(_received)))
    all_reduce(flag, 'max', group)
    return bool(flag)


@HOOKS.register_module()
class TerminationHook(Hook):
    """Stops the training of any loop after a SIGTERM to one of its processes, noted by :func:`sigterm_noted`.

    All processes stop after the same iteration, once its logs and its regular
    checkpoint are written; :func:`save_stopped` writes a checkpoint otherwise.
    A validation stops after the current batch, or at its end where processes
    have different numbers of batches. The resumed run repeats it from its start.

    Raises:
        Terminated: in all processes.
    """
    priority = 'LOWEST'
    group = None  # the process group; None is the default group

    def before_train(self, runner: Runner) -> None:
        if get_world_size() > 1 and get_backend() != 'gloo':
            self.group = torch.distributed.new_group(backend='gloo')  # answers without waiting for GPUs
        if _told(self.group):
            runner.logger.info(f'{STOPPED} before it began; no checkpoint is written')
            raise Terminated

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None,
                         outputs: dict[str, Any] | None = None) -> None:
        if _told(self.group):
            self._leave(runner, runner.epoch, runner.iter + 1)

    def before_val(self, runner: Runner) -> None:
        loop: Any = runner.val_loop
        loaders = getattr(loop, 'loaders', {'': loop.dataloader}).values()
        lengths = torch.tensor([len(loader) if isinstance(loader, Sized) else -get_rank() for loader in loaders])
        self.in_step = 'train' in built_loops(runner) and all(
            torch.equal(lengths, other) for other in all_gather(lengths))

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None,
                       outputs: Sequence | None = None) -> None:
        if self.in_step and _told(self.group):
            for hook in runner.hooks:
                if isinstance(hook, EMAHook):  # swaps the trained weights back in
                    hook.after_val_epoch(runner)
            self._leave(runner, runner.epoch, runner.iter)

    def after_val(self, runner: Runner) -> None:
        if 'train' in built_loops(runner) and _told(self.group):
            self._leave(runner, runner.epoch, runner.iter)

    def _leave(self, runner, epoch, iteration):
        path = save_stopped(runner, epoch, iteration)
        runner.logger.info(f'{STOPPED} after iteration {iteration}, which {path} holds; --resume goes on from there')
        raise Terminated
