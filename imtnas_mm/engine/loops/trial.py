"""A trial of A's step at the start of a warm-up, which shows early that the step runs; and how long a search takes."""
import logging
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
    """Seconds of an iteration in the warm-up, and of one after it, which steps A."""
    warmup: float
    later: float


def measured_call(model: object) -> int:
    """The first iteration whose time stands for the others: with ``replay``, kernels are recorded in the second."""
    return 3 if getattr(model, 'replay', False) else 2


def try_iterations(runner: SearchRunner, warmup: Callable[[], None], later: Callable[[], None],
                   starts: str) -> TrialSeconds | None:
    """Runs iterations of the warm-up and iterations that step A, and undoes them all; times the last of each kind.

    Args:
        runner (SearchRunner): its model and optimisers are at the end what they were.
        warmup, later (Callable): an iteration of each kind; they return when the device is done.
        starts (str): when A's steps start, for messages.

    Returns:
        TrialSeconds | None: ``None`` if a loss or gradient wasn't finite, of which the log then warns.

    Raises:
        torch.OutOfMemoryError: where A's steps don't fit, with a note that this was a trial.
    """
    kept = KeptState(runner, on_host=True)
    seconds: list[float] = []
    try:
        for iteration in (warmup, later):
            for _ in range(measured_call(runner.model)):
                begin = time.perf_counter()
                iteration()
                last = time.perf_counter() - begin
            seconds.append(last)
    except NonFiniteError as error:
        print_log(f"a trial of A's step, which starts {starts}, failed and was undone: {error}", runner.logger,
                  logging.WARNING)
        return None
    except torch.OutOfMemoryError as error:
        if seconds:  # the iterations of the warm-up fit
            error.add_note(f"This was a trial of A's step, which starts {starts} and needs more memory than the "
                           'warm-up.')
        raise
    finally:
        kept.put_back()
    return TrialSeconds(*seconds)


class FirstIterations:
    """Times the iterations of a run until one stands for the others.

    Args:
        measured (int): the iteration of the run that is taken, see :func:`measured_call`.
    """

    def __init__(self, measured: int) -> None:
        self.measured = measured
        self.ends: list[float] = []

    def ended(self) -> float | None:
        """Called at the end of each iteration; the seconds of the measured one, data included, at its end."""
        if len(self.ends) < self.measured:
            self.ends.append(time.perf_counter())
            if len(self.ends) == self.measured:
                return self.ends[-1] - self.ends[-2]
        return None
