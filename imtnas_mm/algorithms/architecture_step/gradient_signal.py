"""Figures of A's gradient: its norm, its agreement with earlier gradients, and the chain's share in it."""
from collections.abc import Mapping

import torch
from torch import Tensor, nn


class GradientSignal(nn.Module):
    """Compares the gradients of A over the iterations; all figures stay on their device.

    With the gradient g of a step of A, as one vector:

    - ``architecture/gradient_norm`` is ``||g||``.
    - ``architecture/gradient_cosine`` is the cosine of g and the running mean of the gradients before it: about 1 where
      gradients agree, 0 where each is noise of its own (and in the first step, which has none before it).
    - ``architecture/chain_share`` is ``||c|| / ||g||``. c is the part of g that went through the chain, from the
      validation losses to W~ and H~ and back to A through their updates (and W through a hypernetwork); ``g - c`` is
      dLbar/dA at constant W~ and H~, with the space's own loss and the term of the cost. Where the parts cancel the
      share is above 1. It is not logged where no gradient goes through a chain.

    Args:
        size (int): of g.
        momentum (float): the weight of the present gradient in the running mean.
    """
    mean: Tensor

    def __init__(self, size: int, momentum: float = .1) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer('mean', torch.zeros(size))

    @torch.no_grad()
    def update(self, gradient: Mapping[str, Tensor], chain: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
        """The figures of a gradient, by group of A, which then enters the mean.

        Args:
            gradient (dict[str, Tensor]): g.
            chain (dict[str, Tensor], optional): c.
        """
        whole = flat(gradient).to(self.mean)
        least = torch.finfo(whole.dtype).tiny
        norm = whole.norm()
        figures = {
            'architecture/gradient_norm': norm,
            'architecture/gradient_cosine': whole.dot(self.mean) / (norm * self.mean.norm()).clamp_min(least),
        }
        if chain is not None:
            figures['architecture/chain_share'] = flat(chain).to(whole).norm() / norm.clamp_min(least)
        self.mean.lerp_(whole, self.momentum)
        return figures


def flat(gradient: Mapping[str, Tensor]) -> Tensor:
    """All groups as one vector."""
    return torch.cat([part.reshape(-1) for part in gradient.values()])
