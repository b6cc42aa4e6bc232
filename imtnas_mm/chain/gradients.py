"""First derivatives of a loss, and leaves of a new graph."""
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def gradients(loss: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """First-order gradients of a scalar, shaped as ``tensors``; zeros for tensors that it doesn't depend on."""
    return torch.autograd.grad(loss, tensors, allow_unused=True, materialize_grads=True)


def leaves(tensors: Iterable[Tensor]) -> list[Tensor]:
    """The same values as the leaves of a new graph."""
    return [tensor.detach().requires_grad_() for tensor in tensors]
