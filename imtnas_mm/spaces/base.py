"""What every search space is to the algorithms."""
import contextlib
from abc import abstractmethod
from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..architecture import mean_entropy
from .stages import stage_outputs


class Progress(NamedTuple):
    """Where a search stands: its epoch of how many, those with A frozen, and the share of iterations done in [0, 1]."""
    epoch: int
    max_epochs: int
    warmup_epochs: int
    fraction: float

    @classmethod
    def of(cls, values):
        """From the tensor [4] that a checkpoint keeps; ``None`` where the search hadn't begun."""
        epoch, max_epochs, warmup_epochs, fraction = values.tolist()
        return cls(int(epoch), int(max_epochs), int(warmup_epochs), fraction) if max_epochs else None


class Gates(nn.Module):
    """The numbers a supernet mixes its operations with, as buffers.

    They are buffers so that ``torch.func.functional_call`` can put tensors
    that depend on A in their place; they are not saved, since A is.
    """

    def __init__(self, shapes):
        super().__init__()
        for name, shape in shapes.items():
            self.register_buffer(name, torch.full(shape, 1 / shape[-1]), persistent=False)

    def __getitem__(self, name):
        return getattr(self, name)


def gate_names(module):
    """set[str]: the names of the buffers of a module that are gates."""
    return {f'{path}.{name}'.lstrip('.') for path, part in module.named_modules() if isinstance(part, Gates)
            for name, _ in part.named_buffers()}


class SearchSpace(BaseModule):
    """A supernet that can be a backbone of any mmdet or mmpretrain model.

    Its parameters are the encoder weights W. A comes in from outside: an
    algorithm computes :meth:`gate_tensors` once a step and passes them with the
    weights to ``functional_call``. On its own the supernet mixes uniformly.

    Subclasses call :meth:`register_gates` and implement ``alpha_shapes``,
    ``derive``, and ``stages`` with ``stage_channels`` and ``out_indices`` (or
    ``forward`` alone, if they have no stages); a space that samples overrides
    ``draw`` too.
    """

    @property
    def couples_images(self):
        """Whether an image's features depend on the others of its batch, by batch statistics."""
        return any(isinstance(module, _BatchNorm) for module in self.modules())

    def register_gates(self):
        self.gates = Gates(self.alpha_shapes())

    @abstractmethod
    def alpha_shapes(self):
        """dict[str, tuple[int]]: the groups of A, in order; the last axis runs over candidates."""

    def blocks(self):
        """dict[str, tuple[str]]: the blocks that tasks may share or not, name -> paths of its modules, in order."""
        raise NotImplementedError(f'{type(self).__name__} has no blocks for a branching')

    def importance(self, alphas):
        """Softmaxed alphas, dict[str, Tensor] (reading 4: what the hypernetwork is told of A)."""
        return {name: alpha.softmax(-1) for name, alpha in alphas.items()}

    def draw(self, alphas, generator):
        """The random part of the gates, drawn once an iteration: dict[str, Tensor], empty where nothing is sampled."""
        return {}

    def gate_tensors(self, alphas, draw):
        """The gates as a differentiable function of A at a fixed draw: dict of buffer name -> Tensor."""
        return {f'gates.{name}': weights for name, weights in self.importance(alphas).items()}

    def evaluation_gates(self, alphas):
        """The gates a search network is judged with; dict of buffer name -> Tensor."""
        return self.gate_tensors(alphas, {})

    def entropy(self, alphas):
        """Mean entropy of A's choices in nats, a scalar."""
        return mean_entropy(self.importance(alphas))

    def architecture_loss(self, alphas):
        """What the space adds to A's loss, a scalar; ``None`` for nothing."""

    def set_progress(self, progress):
        """Told before each iteration how far the search is, for schedules of the space's own.

        Args:
            progress (Progress | None): ``None`` before the search.
        """

    def deterministic(self):
        """Context in which ``forward`` draws nothing."""
        return contextlib.nullcontext()

    def after_architecture_step(self, before, alphas, draw):
        """Called with A before its step and the parameters after it; may correct them in place."""

    @abstractmethod
    def derive(self, alphas):
        """The :class:`Genotype` that the alphas stand for."""

    @property
    def stage_channels(self):
        """tuple[int]: the channels of each stage's output."""
        raise NotImplementedError(f'{type(self).__name__} has no stages')

    def stages(self, x):
        """Images [N, 3, H, W] -> generator as in ``spaces.stages``."""
        raise NotImplementedError(f'{type(self).__name__} has no stages')

    def forward(self, x):
        """Images [N, 3, H, W] -> tuple of feature maps, one an output stage, in the order of depth."""
        outputs = enumerate(stage_outputs(self.stages(x)))
        return tuple(output.contiguous() for stage, output in outputs if stage in self.out_indices)
