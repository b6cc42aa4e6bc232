"""The lines that a run logs at its start and that a dry run prints: tasks, data, iterations, start of A's steps."""
import logging
from typing import Any

from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


def start_lines(runner: Runner) -> list[str]:
    """A few lines on a run whose train loop is built; a loop may add some by ``data_lines``."""
    model: Any = runner.model.module if is_model_wrapper(runner.model) else runner.model
    loop: Any = runner.train_loop
    order = getattr(model, 'order', None)
    tasks = f', tasks {", ".join(order)}' if order else ''
    rounds = getattr(model, 'rounds', None)
    in_rounds = f' in {rounds} round{"s" * (rounds > 1)}' if rounds else ''
    lines = [f'{type(model).__name__}{tasks}{in_rounds}: ' + _length(loop)]
    if hasattr(loop, 'data_lines'):
        lines += loop.data_lines()
    elif hasattr(getattr(loop, 'dataloader', None), 'dataset'):
        lines.append(f'data: {len(loop.dataloader.dataset)} training examples')
    return lines


def log_start(runner: Runner) -> None:
    """Log :func:`start_lines`."""
    files = [handler.baseFilename for handler in runner.logger.handlers if isinstance(handler, logging.FileHandler)]
    for line in (*start_lines(runner), *(f'config and all figures: {path}' for path in files)):
        print_log(line, runner.logger)


def _length(loop: Any) -> str:
    if getattr(loop, 'max_epochs', None) is None or not hasattr(loop, 'dataloader'):
        return f'{loop.max_iters} iterations'
    epochs, length = loop.max_epochs, len(loop.dataloader)
    done = f', {loop.iter} of them done' if loop.iter else ''
    return f'{epochs} epoch{"s" * (epochs > 1)} of {length} iterations, {epochs * length} in all{done}'
