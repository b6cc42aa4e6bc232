"""The log lines of several tasks, and of a search: all figures for the log file, and one short line for the console."""
import datetime
from typing import Any

from mmengine.runner import LogProcessor, Runner

from ..algorithms.method import SearchMethod
from ..analysis.cost_table import shown_cost
from ..registry import LOG_PROCESSORS
from .console import TwoTexts
from .runner import SearchRunner


@LOG_PROCESSORS.register_module()
class TaskLogProcessor(LogProcessor):
    """mmengine's LogProcessor, whose lines of a validation or test name the task: ``Epoch(val, det) [3][10/50]``."""

    def get_log_after_iter(self, runner: Runner, batch_idx: int, mode: str) -> tuple[dict, str]:
        tag, text = super().get_log_after_iter(runner, batch_idx, mode)
        if mode != 'train':
            loop: Any = runner.val_loop if mode == 'val' else runner.test_loop
            text = text.replace(f'({mode})', f'({mode}, {loop.label})', 1)
        return tag, text


@LOG_PROCESSORS.register_module()
class SearchLogProcessor(TaskLogProcessor):
    """A :class:`TaskLogProcessor` with a short line for the console.

    The short line has each task's training and validation loss (of the last round), the entropy of A and its change
    since the last line, the cost of the architecture if A's loss has a term for it, the shares of a transfer, the
    seconds per iteration, and the time that is left. Until A's steps start, that time counts them as a trial measured
    them (:attr:`InterleavedSearchLoop.trial`), and the line says when they start.

    Args:
        options: of mmengine's LogProcessor.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.last_entropy: float | None = None

    def get_log_after_iter(self, runner: SearchRunner, batch_idx: int, mode: str) -> tuple[dict, str]:
        tag, text = super().get_log_after_iter(runner, batch_idx, mode)
        return tag, TwoTexts(text, self.short_line(runner, batch_idx, tag)) if mode == 'train' else text

    def short_line(self, runner: SearchRunner, batch_idx: int, figures: dict[str, Any]) -> str:
        loop: Any = runner.train_loop
        width = len(str(loop.max_epochs))
        parts = [f'epoch {loop.epoch + 1:>{width}}/{loop.max_epochs} [{batch_idx + 1}/{len(loop.dataloader)}]',
                 self.losses(runner.model, figures)]
        entropy = figures.get('architecture/entropy')
        if entropy is not None:
            change = '' if self.last_entropy is None else f' ({entropy - self.last_entropy:+.4f})'
            parts.append(f'entropy of A {entropy:.4f}{change}')
            self.last_entropy = entropy
        if 'cost/derived' in figures and runner.model.cost is not None:
            quantity = runner.model.cost.quantity
            derived, expected = (shown_cost(quantity, figures[f'cost/{name}']) for name in ('derived', 'expected'))
            parts.append(f'{quantity} {derived} (expected {expected})')
        if 'transfer/active' in figures:
            parts.append(f'transfer {figures["transfer/active"]:.0%} active, '
                         f'{figures["transfer/different"]:.0%} told apart')
        if 'time' in figures:
            parts.append(f'{figures["time"]:.2f} s/iter')
            warmup = getattr(loop, 'warmup_epochs', 0)
            waits = ''
            if loop.epoch < warmup < loop.max_epochs:
                known = 'with' if loop.trial is not None else 'without'
                waits = f" {known} A's steps, from epoch {warmup + 1}"
            parts.append(f'eta {self.time_left(runner, batch_idx, warmup)}{waits}')
        return ' | '.join(part for part in parts if part)

    @staticmethod
    def time_left(runner: SearchRunner, batch_idx: int, warmup: int) -> datetime.timedelta:
        """Iterations that are left times the mean time of those in this epoch's part of the run; in the warm-up, with
        the time of A's steps in a trial.

        mmengine's mean runs over the iterations of the warm-up, too, which lack A's steps and take less time.
        """
        loop: Any = runner.train_loop
        length = len(loop.dataloader)
        done = loop.epoch * length + batch_idx + 1
        alike = done - (0 if loop.epoch < warmup else warmup * length)  # iterations that are timed alike
        seconds = runner.message_hub.get_scalar('train/time').mean(alike) * (loop.max_epochs * length - done)
        if loop.epoch < warmup < loop.max_epochs and loop.trial is not None:
            seconds += (loop.max_epochs - warmup) * length * (loop.trial.later - loop.trial.warmup)
        return datetime.timedelta(seconds=int(seconds))

    @staticmethod
    def losses(model: SearchMethod, figures: dict[str, Any]) -> str:
        """``c10 1.8123 (val 1.9012)  c100 ...``: of each task that this iteration trained."""
        texts = []
        for name in model.order:
            rounds = [figures[key] for m in range(1, model.rounds + 1) if (key := f'r{m}.{name}/loss') in figures]
            if rounds:
                val = figures.get(f'{name}/val_loss')
                texts.append(f'{name} {rounds[-1]:.4f}' + ('' if val is None else f' (val {val:.4f})'))
        return '  '.join(texts)
