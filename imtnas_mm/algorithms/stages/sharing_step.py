"""The implicit step of MTL-SWS's sharing term ``gamma sum_{k<j} ||W_k - W_j||^2``, which no rate makes unstable.

The term's gradient by W_k is ``2 gamma sum_j (W_k - W_j)``. An explicit step takes it at W, where it multiplies the
difference of two tasks by ``1 - 4 gamma eta``. An implicit step takes it at W~ (a proximal step; Parikh and Boyd,
2014): ``W~_k = U_k - a_k sum_j (W~_k - W~_j)`` with ``a_k = 2 gamma eta_k``, where U_k is the task's step without the
term. This multiplies the difference by ``1 / (1 + 4 gamma eta)``.
"""
from collections.abc import Sequence

import torch
from torch import Tensor

from .optimiser_rules import rules_of


def factors_together(strengths: Sequence[float]) -> list[list[float]]:
    """C of ``W~ = C U``, the solution of ``W~_k + a_k sum_j (W~_k - W~_j) = U_k`` for all K tasks together.

    With ``s_k = 1 / (1 + K a_k)`` it is ``W~_k = s_k (U_k + a_k sum_j s_j U_j / (1 - sum_j s_j a_j))``. Each row of C
    is non-negative and sums to 1.

    Args:
        strengths (sequence of float): a_k, from 0 on.
    """
    scales = [1 / (1 + len(strengths) * a) for a in strengths]
    rest = 1 - sum(scale * a for scale, a in zip(scales, strengths, strict=True))
    return [[scale * (float(j == k) + a * other / rest) for j, other in enumerate(scales)]
            for k, (scale, a) in enumerate(zip(scales, strengths, strict=True))]


def factors_in_turn(strength: float, others: int) -> tuple[float, float]:
    """(of U_k, of each other W_j) in the solution of ``W~ + a sum_j (W~ - W_j) = U_k``, where the ``others`` are fixed.

    Args:
        strength (float): a, from 0 on.
        others (int): K - 1.
    """
    scale = 1 / (1 + others * strength)
    return scale, strength * scale


def weighted_sum(factors: Sequence[float], values: Sequence[Tensor]) -> Tensor:
    """``sum_i c_i x_i``; the tensors have the same shape."""
    total = factors[0] * values[0]
    for factor, value in zip(factors[1:], values[1:], strict=True):
        total = total + factor * value
    return total


class SharingStep:
    """Adds an implicit gradient s to the step that SGD has taken on the gradient g of a weight W.

    W and the momentum then are those of a step on ``g + s(W~)``, where s is taken at the new weights.

    SGD (with momentum mu, dampening, Nesterov) steps W by ``-eta c`` times the gradient and a part independent of it:
    c is 1, ``1 - dampening`` after the first step with momentum, or ``1 + mu`` with Nesterov. So the implicit equation
    is ``W~ = U - eta c s(W~)``, where U is W after the step on g.

    Args:
        optimizer (torch.optim.SGD): of the weight.
        weight (Parameter): W, before the step on g.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, weight: Tensor) -> None:
        self.weight, self.optimizer = weight, optimizer
        self.rule = rules_of(optimizer, {'W': weight}, dict(momentum=True, weight_decay=False))['W']

    @property
    def rate(self) -> float:
        """eta c."""
        return self.rule.gradient_rate

    @torch.no_grad()
    def finish(self, value: Tensor, gradient: Tensor) -> None:
        """After the step on g: W becomes W~, and s(W~) enters the momentum.

        Args:
            value, gradient (Tensor): W~ and s(W~), in the shape of W.
        """
        self.weight.copy_(value)
        if self.rule.momentum:
            self.optimizer.state[self.weight]['momentum_buffer'].add_(gradient, alpha=self.rule.gradient_share)


def check_sgd(optimizer: torch.optim.Optimizer) -> torch.optim.SGD:
    """The optimiser of the encoder weights, if an implicit step knows it.

    Raises:
        ValueError: for any optimiser but SGD.
    """
    if not isinstance(optimizer, torch.optim.SGD) or any(group['maximize'] for group in optimizer.param_groups):
        raise ValueError(f"model.sharing_step='implicit' with optim_wrapper.encoder.optimizer="
                         f"{type(optimizer).__name__}: the implicit step is that of SGD which minimises; use "
                         "type='SGD', or sharing_step='explicit'")
    return optimizer
