"""The step of SGD as a function of a variable, its gradient and its momentum."""
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class StepRule:
    """A step of ``torch.optim.SGD``, by default the plain ``y = x - rate u`` with ``u = df/dx``.

    ``d = u + weight_decay x`` is the direction without momentum. With momentum
    the buffer b becomes ``b' = momentum b + (1 - dampening) d``, in the first
    step ``b' = d``, and ``y = x - rate b'``. With Nesterov's momentum it is
    ``y = x - rate (d + momentum b')``.

    Args:
        rate, momentum, dampening, nesterov, weight_decay: as those of SGD.
        first (bool): whether it is the first step, which has no buffer b.
    """
    rate: float
    momentum: float = 0.
    dampening: float = 0.
    nesterov: bool = False
    weight_decay: float = 0.
    first: bool = True

    def step(self, value: Tensor, gradient: Tensor, buffer: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """(y, b') of tensors of the same shape; b' is ``None`` without momentum.

        Args:
            value, gradient (Tensor): x, u.
            buffer (Tensor, optional): b; ``None`` for the first step.
        """
        direction = gradient + self.weight_decay * value if self.weight_decay else gradient
        if not self.momentum:
            return value - self.rate * direction, None
        buffer = direction if buffer is None else self.momentum * buffer + (1 - self.dampening) * direction
        direction = direction + self.momentum * buffer if self.nesterov else buffer
        return value - self.rate * direction, buffer

    @property
    def gradient_share(self) -> float:
        """``db'/du``, with momentum."""
        return 1. if self.first else 1. - self.dampening

    @property
    def gradient_rate(self) -> float:
        """``-dy/du``."""
        if not self.momentum:
            return self.rate
        share = self.gradient_share
        return self.rate * (1 + self.momentum * share if self.nesterov else share)
