"""One step of gradient descent as a record of a chain."""
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .adjoints import Adjoints, Variable
from .gradients import gradients, leaves
from .pullbacks import KeptGradient, Pullback
from .record import Record


def run_as_it_is(pullback: Pullback, function: Callable, tensors: list[Tensor], data: Any) -> list[Tensor]:
    """``function(tensors, data)``."""
    return function(tensors, data)


def of_one_process(tensors: list[Tensor]) -> list[Tensor]:
    """The means over all processes, if there is only one process."""
    return tensors


def scaled(factor: float, tensor: Tensor) -> Tensor:
    """``factor * tensor``; nothing is computed for a factor of 1."""
    return tensor if factor == 1 else factor * tensor


@dataclass
class GradientStep(Record):
    """``y_i = a_i x_i - rate_i * df(x, z)/dx_i`` for all x_i at once; a_i is 1 by default.

    Its pullback is ``bar x_i += a_i bar y_i + dpsi/dx_i`` and ``bar z += dpsi/dz``
    with ``psi = sum_i <-rate_i * bar y_i, df(x, z)/dx_i>``. This is the second
    pass, which builds the graph of f again. If a step subtracts more from x, it
    must be a constant of the chain. With ``a_i = 0`` and ``rate_i = -1``, y_i is
    the gradient, for a step that other records make.

    f is the loss of one process. A second pass is linear in the adjoint, so
    with several processes its adjoint must be the mean over them. All other
    pullbacks are linear in adjoints alone: averaging the final result suffices.

    Args:
        loss (callable): f, ``(x, z, data) -> scalar``, x and z as lists of tensors.
        before, after, outer (sequences of Variable): x, y, z.
        rates (sequence of float): one per x.
        data (callable): makes the third argument of f, once per pass.
        active (bool): False if df/dx is zero around the point. Then ``y = x`` and there is no second pass.
        run (callable): ``(pullback, function, tensors, data)`` -> ``function(tensors, data)``.
            The function depends on its arguments alone, so its kernels may be recorded and replayed.
        mean (callable): tensors -> their means over all processes; it may change them in place.
        kept (KeptGradient, optional): df/dx by ``before`` first, then by more, with its graph: the second pass then
            is its derivative, whatever the pullback, and makes no graph again.
        shares (sequence of float, optional): a_i, one per x.
    """
    loss: Callable[[list[Tensor], list[Tensor], Any], Tensor]
    before: Sequence[Variable]
    after: Sequence[Variable]
    outer: Sequence[Variable]
    rates: Sequence[float]
    data: Callable[[], Any] = tuple
    active: bool = True
    run: Callable[[Pullback, Callable, list[Tensor], Any], list[Tensor]] = run_as_it_is
    mean: Callable[[list[Tensor]], list[Tensor]] = of_one_process
    kept: KeptGradient | None = None
    shares: Sequence[float] | None = None

    @classmethod
    def take(cls, loss: Callable, before: Sequence[Variable], outer: Sequence[Variable], rates: Sequence[float],
             **options: Any) -> 'GradientStep':
        """Takes the step and returns its record; arguments as of the class."""
        record = cls(loss, before, [], outer, rates, **options)
        values = leaves(variable.value for variable in before)
        by_value = gradients(loss(values, [variable.value for variable in outer], record.data()), values)
        record.after = [Variable(scaled(share, value.detach()) - rate * gradient) for value, gradient, rate, share
                        in zip(values, record.mean(list(by_value)), rates, record.share_of_each(), strict=True)]
        return record

    def share_of_each(self) -> Sequence[float]:
        """a_i, one per x."""
        return [1.] * len(self.before) if self.shares is None else self.shares

    def pull_back(self, adjoints: Adjoints, pullback: Pullback | None) -> None:
        taken = [adjoints.take(variable) for variable in self.after]
        if all(adjoint is None for adjoint in taken):
            return
        shares = self.share_of_each()
        if pullback is None or not self.active:
            passed = [(variable, scaled(share, adjoint)) for variable, adjoint, share
                      in zip(self.before, taken, shares, strict=True) if share and adjoint is not None]
            adjoints.add([variable for variable, _ in passed], [adjoint for _, adjoint in passed])
            return
        inner = [variable.value for variable in self.before]
        taken = self.mean([torch.zeros_like(value) if adjoint is None else adjoint
                           for value, adjoint in zip(inner, taken, strict=True)])
        of_gradients = [-rate * adjoint for rate, adjoint in zip(self.rates, taken, strict=True)]
        parts = self.second_pass(pullback, inner, of_gradients)
        # no sum is computed for constants
        moving = [(variable, scaled(share, adjoint) + part if share else part) for variable, adjoint, part, share
                  in zip(self.before, taken, parts[:len(inner)], shares, strict=True) if not variable.constant]
        adjoints.add([variable for variable, _ in moving], [adjoint for _, adjoint in moving])
        adjoints.add(self.outer, parts[len(inner):])

    def second_pass(self, pullback: Pullback, inner: list[Tensor], adjoint: list[Tensor]) -> list[Tensor]:
        """``d<adjoint, df/dx>`` by x, then by z."""
        sizes = len(inner), len(self.outer)
        kept, self.kept = self.kept, None
        if kept is not None:
            constant = [variable.constant for variable in self.before]
            return self.run(pullback, lambda tensors, data: kept.pull_back(tensors, constant), adjoint, ())

        def function(tensors: list[Tensor], data: Any) -> list[Tensor]:
            inner, outer, adjoint = (tensors[:sizes[0]], tensors[sizes[0]:sum(sizes)], tensors[sum(sizes):])
            return pullback(lambda inner, outer: self.loss(inner, outer, data), inner, outer, adjoint)

        return self.run(pullback, function, [*inner, *(variable.value for variable in self.outer), *adjoint],
                        self.data())
