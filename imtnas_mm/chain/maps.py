"""Records of a chain that are no gradient steps: functions with a first derivative, and weighted sums."""
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .adjoints import Adjoints, Variable
from .gradients import leaves
from .pullbacks import Pullback
from .record import Record


@dataclass
class Map(Record):
    """``y = f(x)``; its pullback is ``bar x += (dy/dx)^T bar y``.

    Args:
        function (callable): f, from a list of tensors to a sequence of tensors.
        inputs, outputs (sequences of Variable): x, y.
    """
    function: Callable[[list[Tensor]], Sequence[Tensor]]
    inputs: Sequence[Variable]
    outputs: Sequence[Variable]

    def pull_back(self, adjoints: Adjoints, pullback: Pullback | None = None) -> None:
        taken = [adjoints.take(variable) for variable in self.outputs]
        if all(adjoint is None for adjoint in taken):
            return
        inputs = leaves(variable.value for variable in self.inputs)
        reached = [(output, adjoint) for output, adjoint in zip(self.function(inputs), taken, strict=True)
                   if adjoint is not None and output.requires_grad]
        if not reached:
            return
        parts = torch.autograd.grad([output for output, _ in reached], inputs, [adjoint for _, adjoint in reached],
                                    allow_unused=True, materialize_grads=True)
        adjoints.add(self.inputs, parts)


@dataclass
class WeightedSum(Record):
    """``y = c + sum_i a_i x_i`` with a constant c; its pullback is ``bar x_i += a_i bar y``.

    Args:
        result (Variable): y.
        terms (sequence of (Variable, float)): x_i and a_i.
    """
    result: Variable
    terms: Sequence[tuple[Variable, float]]

    def pull_back(self, adjoints: Adjoints, pullback: Pullback | None = None) -> None:
        adjoint = adjoints.take(self.result)
        if adjoint is not None:
            adjoints.add([variable for variable, _ in self.terms], [factor * adjoint for _, factor in self.terms])
