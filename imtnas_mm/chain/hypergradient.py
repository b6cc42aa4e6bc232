"""Computes the gradient of an objective through a chain in one call."""
from collections.abc import Callable, Sequence

from torch import Tensor

from .adjoints import Adjoints, Variable
from .gradients import gradients, leaves
from .pullbacks import Pullback, exact_pullback
from .record import Record, sweep


def hypergradient(objective: Callable[[list[Tensor], list[Tensor]], Tensor], results: Sequence[Variable],
                  outer: Sequence[Variable], records: Sequence[Record],
                  pullback: Pullback | None = exact_pullback) -> tuple[Tensor, list[Tensor]]:
    """``dL/dz`` of ``L(y, z)``, where y depends on z through a chain.

    Args:
        objective (callable): L, (values of ``results``, values of ``outer``) -> scalar.
        results, outer (sequences of Variable): y, z.
        records (sequence of Record): the chain, in the order in which it was made.
        pullback (callable, optional): see :func:`sweep`.

    Returns:
        (Tensor, list[Tensor]): L and its gradient, shaped as ``outer``.
    """
    adjoints, at = Adjoints(outer), [*results, *outer]
    values = leaves(variable.value for variable in at)
    loss = objective(values[:len(results)], values[len(results):])
    adjoints.add(at, gradients(loss, values))
    sweep(records, adjoints, pullback)
    return loss.detach(), [adjoints.shared[variable] for variable in outer]
