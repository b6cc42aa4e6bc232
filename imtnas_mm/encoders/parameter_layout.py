"""Layout of an encoder's weights in one vector: names, shapes and initial scales."""
import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..recent import Recent

# sizes of the pieces; their names and shapes, None for those left out
Pieces = tuple[list[int], list[tuple[str, torch.Size] | None]]


@dataclass(frozen=True)
class ParameterLayout:
    """The place of each parameter of an encoder in its weight vector [D].

    ``offset`` and ``scale`` (both [D]) are means and standard deviations of
    initial values: for weights of convolutions and linear layers, 0 and
    ``sqrt(2 / fan_in)`` (He et al., 2015); for vectors (norm weights, biases),
    the initial value of their module and .01.
    """
    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]
    offset: Tensor
    scale: Tensor
    # pieces by the names left out, which differ for each draw of paths
    known: Recent[Pieces] = field(default_factory=lambda: Recent(16), repr=False, compare=False)

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
                them form one piece of the vector, so that its gradient is made
                of fewer pieces, too.
        """
        sizes, kept = self.known.get_or_make(without, lambda: self._pieces(without))
        pieces = vector.split(sizes)
        return {named[0]: piece.view(named[1]) for named, piece in zip(kept, pieces, strict=True) if named is not None}

    def _pieces(self, without: frozenset[str]) -> Pieces:
        """(sizes of the pieces, their names and shapes; ``None`` for pieces that are left out)."""
        sizes, kept = [], []
        for name, shape in zip(self.names, self.shapes, strict=True):
            if name in without and kept and kept[-1] is None:
                sizes[-1] += shape.numel()
            else:
                sizes.append(shape.numel())
                kept.append(None if name in without else (name, shape))
        return sizes, kept
