"""The variables of a chain, and their adjoints ``bar x = dL/dx`` while a sweep runs."""
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor


class Variable:
    """A tensor of the chain. Records name their inputs and results by it; two variables are never equal.

    Args:
        value (Tensor or callable, optional): the tensor, without a graph, or a
            function that makes it again whenever it is asked for, so that it
            needs no memory in between. ``None`` for a result whose value
            nobody asks for.
        constant (bool): it doesn't depend on the outer variables, so it gets no adjoint.
    """

    def __init__(self, value: Tensor | Callable[[], Tensor] | None = None, constant: bool = False):
        self._value = value
        self.constant = constant

    @property
    def value(self) -> Tensor:
        value = self._value() if callable(self._value) else self._value
        if value is None:
            raise ValueError('this variable has no value: it was made without one')
        return value


class Adjoints:
    """``bar x`` of the variables that records still have to take, as sums of what later records passed to them.

    Args:
        shared (sequence of Variable): variables that most records pass something
            to, such as the outer ones. Their adjoints start as zeros and are
            added to in place, those of one record together.
    """

    def __init__(self, shared: Sequence[Variable] = ()):
        self.shared = {variable: torch.zeros_like(variable.value) for variable in shared}
        self.others: dict[Variable, Tensor] = {}

    def add(self, variables: Iterable[Variable], parts: Iterable[Tensor]) -> None:
        """Adds one part to the adjoint of each variable; constants take none."""
        pairs = [pair for pair in zip(variables, parts, strict=True) if not pair[0].constant]
        shared = [(self.shared[variable], part) for variable, part in pairs if variable in self.shared]
        if shared:
            torch._foreach_add_(  # pyright: ignore[reportPrivateImportUsage]
                [total for total, _ in shared], [part for _, part in shared])
        for variable, part in pairs:
            if variable not in self.shared:
                self.others[variable] = self.others[variable] + part if variable in self.others else part

    def take(self, variable: Variable) -> Tensor | None:
        """The adjoint of a variable, which then has none; ``None`` where no record passed it anything."""
        return self.shared.pop(variable) if variable in self.shared else self.others.pop(variable, None)
