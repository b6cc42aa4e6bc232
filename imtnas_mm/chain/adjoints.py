"""The variables x of a chain, and their adjoints ``bar x = dL/dx`` during the sweep back through it."""
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor


class Variable:
    """A tensor of the chain: an input or a result of records. Two variables are never equal.

    Args:
        value (Tensor or callable, optional): the tensor, without a graph; or a
            function that computes it at each access, so that it needs no memory
            in between; or ``None`` for a result whose value is never read.
        constant (bool): whether it is independent of the outer variables, and so gets no adjoint.
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
    """The adjoints ``bar x`` that earlier records still have to take: sums of parts from later records.

    Args:
        shared (sequence of Variable): variables to whose adjoints most records
            add, such as the outer variables. They start as zeros; each record
            adds to all of them together, in place.
    """

    def __init__(self, shared: Sequence[Variable] = ()):
        self.shared = {variable: torch.zeros_like(variable.value) for variable in shared}
        self.others: dict[Variable, Tensor] = {}

    def add(self, variables: Iterable[Variable], parts: Iterable[Tensor]) -> None:
        """Adds one part to the adjoint of each variable; constants are skipped."""
        pairs = [pair for pair in zip(variables, parts, strict=True) if not pair[0].constant]
        shared = [(self.shared[variable], part) for variable, part in pairs if variable in self.shared]
        if shared:
            torch._foreach_add_(  # pyright: ignore[reportPrivateImportUsage]
                [total for total, _ in shared], [part for _, part in shared])
        for variable, part in pairs:
            if variable not in self.shared:
                self.others[variable] = self.others[variable] + part if variable in self.others else part

    def take(self, variable: Variable) -> Tensor | None:
        """Removes and returns the adjoint of a variable; ``None`` if no record added to it."""
        return self.shared.pop(variable) if variable in self.shared else self.others.pop(variable, None)
