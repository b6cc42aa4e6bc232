"""A trial of A's step at the start of a warm-up: it shows early that the step runs, and how long it takes."""
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from mmengine.logging import print_log

from ...finite import NonFiniteError
from ..runner import SearchRunner
from .kept_state import KeptState


@dataclass(frozen=True)
class TrialSeconds:
    """Seconds of an iteration of the warm-up, and of one that also steps A."""
    without: float
    with_step: float

    @property
    def step(self) -> float:
        """Seconds of A's step alone."""
        return max(self.with_step - self.without, 0.)


def try_iterations(runner: SearchRunner, iteration: Callable[[bool], None], starts: str) -> TrialSeconds | None:
    """Times an iteration without and with A's step, after one with it that isn't timed, and undoes all three.

    Args:
        runner (SearchRunner): its model and optimisers are at the end what they were.
        iteration (Callable): takes whether A takes its step; returns when the device is done.
        starts (str): when A's steps start, for errors.

    Returns:
        TrialSeconds | None: ``None`` if a loss or gradient wasn't finite, which the log then says.

    Raises:
        torch.OutOfMemoryError: with a note that it was a trial of A's step.
    """
    kept = KeptState(runner)
    seconds = []
    try:
        for steps in (True, False, True):
            begin = time.perf_counter()
            iteration(steps)
            seconds.append(time.perf_counter() - begin)
    except NonFiniteError as error:
        print_log(f"a trial of A's step, which starts {starts}, failed and was undone: {error}", runner.logger)
        return None
    except torch.OutOfMemoryError as error:
        error.add_note(f"This was a trial of A's step, which starts {starts} and needs more memory than the warm-up.")
        raise
    finally:
        kept.put_back()
    return TrialSeconds(*seconds[1:])
