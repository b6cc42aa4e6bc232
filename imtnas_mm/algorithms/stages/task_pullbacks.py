"""Second derivatives of the tasks' losses, with errors that name the task."""
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ...chain import Pullback, SecondDerivativeError, difference_pullback, exact_pullback
from ...compat.focal_loss import plain_focal_loss
from .stage import Stage

REMEDY = "Use hypergradient='finite_difference' or 'first_order', or a module without this operator"
ADVICE = f"which hypergradient='exact' needs. {REMEDY}"


def exact_task_pullback(function: Callable, inner: list[Tensor], outer: list[Tensor],
                        adjoint: list[Tensor]) -> list[Tensor]:
    """:func:`exact_pullback` of a task's loss."""
    with plain_focal_loss():
        return exact_pullback(function, inner, outer, adjoint)


PULLBACKS = dict(exact=exact_task_pullback, finite_difference=difference_pullback)
HYPERGRADIENTS = ('first_order', *PULLBACKS)


@contextmanager
def naming_task(stage: Stage, pullback: Pullback) -> Iterator[None]:
    """Adds the task's name to the error of an operator without a second derivative."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        if pullback is not PULLBACKS['exact'] or isinstance(error, SecondDerivativeError):
            raise
        raise SecondDerivativeError(
            f"tasks.{stage.task} (stage {stage.name}): hypergradient='exact' failed in its second derivative: {error}. "
            f'{REMEDY}') from error
