"""The one-step updates of the chain, one function an equation (paper A.1-A.2)."""
from dataclasses import dataclass, field
from typing import Any

import torch

from .stage import Stage


@dataclass
class StageRecord:
    """What a stage leaves for the stages and the architecture step after it.

    ``encoder`` W and the head's values are those before any optimiser's step.
    All tensors are without a graph.
    """
    stage: Stage
    data: dict  # the preprocessed batch of D_k^tr
    virtual_encoder: torch.Tensor  # W~, [D]
    virtual_head: dict  # H~ and copies of the head's buffers
    encoder_rate: float
    head_rate: float
    views: torch.Tensor | None = None  # the augmented images of a transfer
    active: bool = True  # whether the encoder's inner gradient is non-zero anywhere
    figures: dict = field(default_factory=dict)
    encoder_gradient: Any = None  # of the stage's loss by W, [D]; None once it has been handed to an optimiser
    head_gradient: Any = None


def gradients(loss, tensors):
    """First-order gradients of a loss; zeros for what it doesn't depend on."""
    return torch.autograd.grad(loss, tensors, allow_unused=True, materialize_grads=True)


def virtual_step(value, gradient, rate):
    """Eq. 27-28: ``W~ = W - eta grad``, plain step; tensors of one shape."""
    return value - rate * gradient


def virtual_head_step(head, gradient, rate):
    """Eq. 29: ``H~ = H - eta_h grad_H L(A, W~, H)`` for a head's parameters by name."""
    return {name: value - rate * gradient[name] for name, value in head.items()}
