"""One encoder's weights as one vector: names, shapes and initial scale."""
import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..recent import Recent


@dataclass(frozen=True)
class ParameterLayout:
    """Where each parameter of an encoder lies in its weight vector [D].

    ``offset`` and ``scale`` (both [D]) say how a well-initialised network
    starts: weights of convolutions and linear layers around 0 with the standard
    deviation of He et al. (2015), ``sqrt(2 / fan_in)``; vectors (norm weights,
    biases) around the value their module starts with.
    """
    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]
    offset: Tensor
    scale: Tensor
    # pieces by what is left out: each draw of paths has its own
    known: Recent = field(default_factory=lambda: Recent(16), repr=False, compare=False)

    @classmethod
    def of(cls, module: nn.Module) -> 'ParameterLayout':
        """The layout of a module's parameters, in the order of ``named_parameters``."""
        named = dict(module.named_parameters())
        offsets, scales = [], []
        for parameter in named.values():
            if parameter.dim() > 1:
                fan_in = parameter[0].numel()
                offsets.append(torch.zeros(parameter.numel()))
                scales.append(torch.full((parameter.numel(), ), math.sqrt(2 / fan_in)))
            else:
                offsets.append(parameter.detach().reshape(-1).float().cpu().clone())
                scales.append(torch.full((parameter.numel(), ), .01))
        return cls(tuple(named), tuple(p.shape for p in named.values()), torch.cat(offsets), torch.cat(scales))

    @property
    def size(self) -> int:
        """D."""
        return len(self.offset)

    def named(self, vector: Tensor, without: frozenset[str] = frozenset()) -> dict[str, Tensor]:
        """The vector [D] as dict of name -> Tensor, views of it.

        Args:
            without (frozenset[str]): names that are left out. Neighbours among
                them are one piece of the vector, whose gradient is then made of
                fewer pieces, too.
        """
        sizes, kept = self.known.get_or_make(without, lambda: self._pieces(without))
        pieces = vector.split(sizes)
        return {one[0]: piece.view(one[1]) for one, piece in zip(kept, pieces, strict=True) if one is not None}

    def _pieces(self, without: frozenset[str]) -> tuple[list[int], list[tuple[str, torch.Size] | None]]:
        """(sizes of the pieces, name and shape of each; ``None`` for what is left out)."""
        sizes, kept = [], []
        for name, shape in zip(self.names, self.shapes, strict=True):
            if name in without and kept and kept[-1] is None:
                sizes[-1] += shape.numel()
            else:
                sizes.append(shape.numel())
                kept.append(None if name in without else (name, shape))
        return sizes, kept
