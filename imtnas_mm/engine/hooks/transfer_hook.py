"""Hook of a search that logs how much the knowledge transfer passes on, and warns if it passes nothing."""
import logging
from collections import deque
from typing import Any

from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.logging import print_log

from ...registry import HOOKS
from ..runner import SearchRunner

FIGURES = ('transfer/active', 'transfer/different')


def complaint(active: list[float], different: list[float]) -> str:
    """The fault of a transfer with these shares in all iterations of a window; empty without a fault.

    Args:
        active (list[float]): per iteration, the share of pairs on which the
            encoders disagree, over all stages.
        different (list[float]): the share of pairs that the teachers tell apart.
    """
    if not any(different):
        return 'the teachers told no pair of sets apart'
    if all(share == 1 for share in different):
        return 'the teachers told all pairs of sets apart'
    if not any(active):
        return 'no pair was active: each student agreed with its teacher on all pairs'
    return ''


@HOOKS.register_module()
class TransferHook(Hook):
    """Logs the shares of active pairs and of pairs told apart after each epoch, and whether the transfer is off.

    A transfer is off while no pair is active, or its teachers tell all or no
    pairs apart, in each of the last ``window`` iterations. The first time, a
    warning in the log names the fields to change. From then on the line of each
    epoch says that the transfer is off.

    The figures are those that the search reads for its log anyway. Methods and
    transfers without them are left alone.

    Args:
        window (int): iterations. A window may not end inside an epoch of fewer.
    """
    priority = 'NORMAL'

    def __init__(self, window: int = 50) -> None:
        if window < 1:
            raise ValueError(f'default_hooks.transfer.window={window} must be at least 1')
        self.window = window
        self.recent: deque[tuple[float, float]] = deque(maxlen=window)
        self.epoch: list[tuple[float, float]] = []
        self.warned = False

    def trouble(self) -> str:
        """:func:`complaint` of the last window; empty before there is one."""
        return '' if len(self.recent) < self.window else complaint(*map(list, zip(*self.recent, strict=True)))

    def after_train_iter(self, runner: SearchRunner, batch_idx: int, data_batch: DATA_BATCH = None,
                         outputs: dict[str, Any] | None = None) -> None:
        if outputs is None or any(name not in outputs for name in FIGURES):
            return
        figures = float(outputs[FIGURES[0]]), float(outputs[FIGURES[1]])
        self.recent.append(figures)
        self.epoch.append(figures)
        trouble = self.trouble()
        if trouble and not self.warned and runner.model.transfer is not None:
            self.warned = True
            print_log(f'The knowledge transfer is off: in the last {self.window} iterations {trouble}. No knowledge '
                      f'passes between the tasks. {runner.model.transfer.advice}', 'current', logging.WARNING)

    def after_train_epoch(self, runner: SearchRunner) -> None:
        if not self.epoch:
            return
        active, different = (sum(values) / len(values) for values in zip(*self.epoch, strict=True))
        trouble = self.trouble()
        off = f'; the transfer is off: in the last {self.window} iterations {trouble}' if trouble else ''
        runner.logger.info(f'Transfer in epoch {runner.epoch + 1}: {active:.1%} of the pairs active, '
                           f'{different:.1%} told apart by the teacher{off}')
        self.epoch.clear()
