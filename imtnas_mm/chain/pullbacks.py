"""Two ways to differentiate an inner gradient: exactly, or by central differences."""
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .gradients import leaves

# (function, inner, outer, adjoint) -> list[Tensor], as exact_pullback
Pullback = Callable[[Callable, list[Tensor], list[Tensor], list[Tensor]], list[Tensor]]


def exact_pullback(function: Callable, inner: list[Tensor], outer: list[Tensor],
                   adjoint: list[Tensor]) -> list[Tensor]:
    """d/d outer of ``<adjoint, d function / d inner>`` by double backward.

    Args:
        function: (inner, outer) -> loss.
        inner (list[Tensor]): variables of the inner gradient.
        outer (list[Tensor]): further variables of the result; no tensor may be
            in both lists.
        adjoint (list[Tensor]): shaped as ``inner``.

    Returns:
        list[Tensor]: shaped as ``inner`` then ``outer``.
    """
    inner, outer = leaves(inner), leaves(outer)
    return KeptGradient.of(function(inner, outer), inner, outer).pull_back(adjoint)


class KeptGradient(NamedTuple):
    """``df/dx`` with its graph, so that it can be differentiated once more, which ends the graph.

    Args:
        gradients (tuple[Tensor]): df/dx.
        inner, outer (list[Tensor]): x, z, the leaves of the graph.
    """
    gradients: tuple[Tensor, ...]
    inner: list[Tensor]
    outer: list[Tensor]

    @classmethod
    def of(cls, loss: Tensor, inner: list[Tensor], outer: list[Tensor]) -> 'KeptGradient':
        """``df/dx`` of a scalar f that was computed from these leaves."""
        return cls(torch.autograd.grad(loss, inner, create_graph=True, allow_unused=True, materialize_grads=True),
                   inner, outer)

    def values(self) -> list[Tensor]:
        """df/dx without a graph; changes of it in place leave the kept gradient as it is."""
        return [gradient.detach().clone() for gradient in self.gradients]

    def pull_back(self, adjoint: list[Tensor], constant: Sequence[bool] = ()) -> list[Tensor]:
        """The derivatives of ``<adjoint, df/dx>`` by x, then by z.

        Args:
            adjoint (list[Tensor]): shaped as the first of x; the others have none, and no derivative is taken by them.
            constant (sequence of bool): whether each x is constant; zeros then stand for its derivative.
        """
        inner = self.inner[:len(adjoint)]
        wanted = [not is_constant for is_constant in constant] or [True] * len(inner)
        dependent = [(g, a) for g, a in zip(self.gradients, adjoint, strict=False) if g.requires_grad]
        targets = [value for value, is_wanted in zip(inner, wanted, strict=True) if is_wanted] + self.outer
        if not dependent or not targets:
            return [torch.zeros_like(value) for value in [*inner, *self.outer]]
        parts = iter(torch.autograd.grad([g for g, _ in dependent], targets, [a for _, a in dependent],
                                         allow_unused=True, materialize_grads=True))
        by_inner = [next(parts) if is_wanted else torch.zeros_like(value)
                    for value, is_wanted in zip(inner, wanted, strict=True)]
        return [*by_inner, *parts]


# step of the central difference: .01 in float32, as in DARTS; in float64 so short that it hardly ever crosses a kink
# of an activation, where gradients jump
STEP = {torch.float32: 1e-2, torch.float64: 1e-7}


def difference_pullback(function: Callable, inner: list[Tensor], outer: list[Tensor],
                        adjoint: list[Tensor]) -> list[Tensor]:
    """:func:`exact_pullback` by central differences along the adjoint, at ``inner`` (DARTS Sec. 2.3, Eq. 8).

    ``(d/d. f(inner + e v) - d/d. f(inner - e v)) / 2e`` with ``e = .01 / ||v||``
    in float32. It needs only first derivatives.
    """
    norm = torch.stack([(a * a).sum() for a in adjoint]).sum().sqrt()
    # an adjoint of zeros gives equal sides and a difference of 0, so the host needn't read the norm
    step = STEP[adjoint[0].dtype] / norm.clamp_min(torch.finfo(norm.dtype).tiny)
    results = []
    for sign in (1, -1):
        moved = leaves([w + sign * step * a for w, a in zip(inner, adjoint, strict=True)])
        fixed = leaves(outer)
        loss = function(moved, fixed)
        results.append(
            torch.autograd.grad(loss, moved + fixed, allow_unused=True, materialize_grads=True))
    return [(plus - minus) / (2 * step) for plus, minus in zip(*results, strict=True)]
