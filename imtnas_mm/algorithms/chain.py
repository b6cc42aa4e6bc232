"""The one-step updates of the chain, one function an equation (paper A.1-A.2)."""
from dataclasses import dataclass, field

import torch

from .stage import Stage


@dataclass
class StageRecord:
    """What a stage leaves for the stages and the architecture step after it; tensors without a graph.

    W itself isn't here: within an iteration V (or the stored weights) and the
    heads stand still, so the sweep makes it again. ``source`` holds the
    encoder weights' own parameters where they were stepped since.
    """
    stage: Stage
    data: dict  # the preprocessed batch of D_k^tr
    encoder_rate: float  # eta_w
    head_rate: float  # eta_h
    virtual_encoder: torch.Tensor | None = None  # W~, [D]
    virtual_head: dict | None = None  # H~ and the head's buffers by name, in the last round alone
    encoder_gradient: torch.Tensor | None = None  # [D], where the tasks share one encoder
    examples: torch.Tensor | None = None  # of a transfer, [S, 3, h, w]; its augmented images are made when needed
    needed: torch.Tensor | None = None  # the views that the transfer's derivatives depend on, None for all
    # whether the encoder's inner gradient is non-zero anywhere, on any rank; on a GPU a flag until the host reads it
    active: bool | torch.Tensor = True
    source: dict | None = None
    head_source: dict | None = None  # likewise of the head
    decay: float = 0.  # of W in its one-step update
    figures: dict = field(default_factory=dict)


def gradients(loss, tensors):
    """First-order gradients of a loss; zeros for what it doesn't depend on."""
    return torch.autograd.grad(loss, tensors, allow_unused=True, materialize_grads=True)


def leaves(tensors):
    """The same values as the beginnings of a graph."""
    return [tensor.detach().requires_grad_() for tensor in tensors]


def virtual_step(value, gradient, rate, momentum=0., buffer=None, weight_decay=0.):
    """``W~ = W - eta grad`` (Eq. 27-29).

    With the optimiser's momentum and weight decay it is the unrolled step of
    DARTS, ``W - eta (momentum * buffer + grad + weight_decay * W)``.
    All tensors have one shape.
    """
    direction = gradient if buffer is None else gradient + momentum * buffer
    if weight_decay:
        direction = direction + weight_decay * value
    return value - rate * direction
