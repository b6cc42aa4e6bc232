"""One encoder's weights as one vector: names, shapes and initial scale."""
import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class ParameterLayout:
    """Where each parameter of an encoder lies in its weight vector [D].

    ``offset`` and ``scale`` (both [D]) say how a well-initialised network
    starts: weights of convolutions and linear layers around 0 with the standard
    deviation of He et al. (2015), ``sqrt(2 / fan_in)``; vectors (norm weights,
    biases) around the value their module starts with.
    """
    names: tuple
    shapes: tuple
    offset: torch.Tensor
    scale: torch.Tensor

    @classmethod
    def of(cls, module):
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
    def size(self):
        """D."""
        return len(self.offset)

    def named(self, vector):
        """The vector [D] as dict of name -> Tensor, views of it."""
        pieces = vector.split([shape.numel() for shape in self.shapes])
        return {name: piece.view(shape) for name, shape, piece in zip(self.names, self.shapes, pieces, strict=True)}
