"""Logs how long each epoch of a training takes."""
import time

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...registry import HOOKS

EPOCH_TIME = 'epoch_time'  # in the logged scalars


@HOOKS.register_module()
class EpochTimeHook(Hook):
    """Logs ``epoch_time``, the seconds that the iterations of an epoch took with their data.

    Validations, checkpoints and lookups between epochs are not in it. An epoch
    within which a run was resumed has none.
    """
    priority = 'VERY_HIGH'  # before the hooks that write the checkpoint of an epoch

    def __init__(self) -> None:
        self.begin: float | None = None

    def before_train_epoch(self, runner: Runner) -> None:
        # a run that is resumed at the end of an epoch begins it without an iteration left
        whole = runner.iter == runner.epoch * len(runner.train_dataloader)
        self.begin = time.monotonic() if whole else None

    def after_train_epoch(self, runner: Runner) -> None:
        if self.begin is None:
            return
        if torch.cuda.is_available():
            torch.cuda.synchronize()  # once per epoch: its last iterations may still be computed
        seconds = time.monotonic() - self.begin
        runner.visualizer.add_scalars(
            {EPOCH_TIME: seconds, 'epoch': runner.epoch + 1, 'iter': runner.iter}, step=runner.iter)
        runner.logger.info(f'Epoch {runner.epoch + 1} took {seconds:.1f} s')
