"""Two ways to differentiate an inner gradient: exactly, or by central differences."""
from collections.abc import Callable

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
    loss = function(inner, outer)
    first = torch.autograd.grad(loss, inner, create_graph=True, allow_unused=True, materialize_grads=True)
    dependent = [(g, a) for g, a in zip(first, adjoint, strict=True) if g.requires_grad]
    if not dependent:
        return [torch.zeros_like(value) for value in inner + outer]
    return list(
        torch.autograd.grad([g for g, _ in dependent], inner + outer, [a for _, a in dependent],
                            allow_unused=True, materialize_grads=True))


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
