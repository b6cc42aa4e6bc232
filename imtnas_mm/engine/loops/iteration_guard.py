"""Stops a search, or skips the iteration, when losses, gradients or weights are not finite."""
import logging
from collections.abc import Callable
from typing import Any

from mmengine.logging import print_log

from ...finite import NonFiniteError, check_state
from ..runner import SearchRunner
from .kept_state import KeptState

CHOICES = ('stop', 'skip')
SKIPPED = 'skipped_iterations'  # in the log, and in mmengine's message hub, which checkpoints keep


class IterationGuard:
    """Runs the iterations of a search as ``train_cfg.non_finite`` says.

    ``stop`` lets a :class:`NonFiniteError` end the run. ``skip`` undoes the
    whole iteration (:class:`KeptState`).
    """

    def __init__(self, choice: str) -> None:
        if choice not in CHOICES:
            raise ValueError(f'train_cfg.non_finite={choice!r} is not one of {CHOICES}')
        self.choice = choice

    def __call__(self, runner: SearchRunner, iteration: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Runs ``iteration()`` and returns its figures.

        Raises:
            NonFiniteError: with ``stop``; all ranks raise it together.
        """
        if self.choice == 'skip':
            before = KeptState(runner)
        skipped = runner.message_hub.get_info(SKIPPED, 0)
        try:
            figures = iteration()
            check_state(f'iteration {runner.iter + 1}, after its steps', runner.model, runner.optim_wrapper)
        except NonFiniteError as error:
            if self.choice == 'stop':
                raise NonFiniteError(f"{error}. The checkpoints are from before it; train_cfg.non_finite='skip' leaves "
                                     'such iterations out') from error
            before.put_back()
            figures, skipped = {}, skipped + 1
            runner.message_hub.update_info(SKIPPED, skipped)
            print_log(f'{error}. This iteration is left out; {skipped} so far', 'current', logging.WARNING)
        return dict(figures, **{SKIPPED: skipped}) if self.choice == 'skip' else figures
