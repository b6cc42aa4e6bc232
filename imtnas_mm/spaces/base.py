"""What every search space is to the algorithms."""
import contextlib
from abc import abstractmethod

import torch
from mmengine.model import BaseModule
from torch import nn

from ..architecture import mean_entropy
from ..compat.modules import BatchNorm
from ..layers.recompute import recomputed_module
from ..networks.stage_outputs import stage_outputs
from ..transport import to_host


class GateValues(dict):
    """Gates by buffer name, a function of A; with :meth:`read`, their values are known to the host, too.

    A supernet that samples leaves out what its gates have at 0. It asks the
    host copy which these are: asking the gates would make the host wait for a
    GPU in every layer of every pass.
    """
    on_host = None  # dict[str, ndarray], shaped as the gates

    def read(self):
        """Copies the values of all gates to the host, at once."""
        self.on_host = {name: gate.numpy() for name, gate in to_host(self).items()}
        return self

    def with_tensors(self, tensors):
        """The same gates as other tensors of the same values, in their order: as leaves of a graph, say."""
        found = GateValues(zip(self, tensors, strict=True))
        found.on_host = self.on_host
        return found

    def leaves(self):
        return self.with_tensors([gate.detach().requires_grad_() for gate in self.values()])


class Gates(nn.Module):
    """The numbers a supernet mixes its operations with, as buffers.

    They are buffers so that ``torch.func.functional_call`` can put tensors
    that depend on A in their place; they are not saved, since A is.
    """

    def __init__(self, shapes):
        super().__init__()
        self.on_host = None  # while the values in place are known there: by name
        for name, shape in shapes.items():
            self.register_buffer(name, torch.full(shape, 1 / shape[-1]), persistent=False)

    def __getitem__(self, name):
        return getattr(self, name)

    def chosen(self, name):
        """Where the gates of a group are not 0: a bool ndarray, shaped as they are."""
        return (self[name].detach().cpu().numpy() if self.on_host is None else self.on_host[name]) != 0


class KnownGates:
    """Tells the :class:`Gates` of a supernet, within ``with``, what of :class:`GateValues` the host knows."""

    def __init__(self, space):
        self.holders = [(f'{path}.'.lstrip('.'), part) for path, part in space.named_modules()
                        if isinstance(part, Gates)]

    @contextlib.contextmanager
    def __call__(self, gates):
        on_host = getattr(gates, 'on_host', None)
        if on_host is None:
            yield
            return
        for path, holder in self.holders:
            holder.on_host = {name: on_host[f'{path}{name}'] for name, _ in holder.named_buffers()}
        try:
            yield
        finally:
            for _, holder in self.holders:
                holder.on_host = None


def gate_names(module):
    """set[str]: the names of the buffers of a module that are gates."""
    return {f'{path}.{name}'.lstrip('.') for path, part in module.named_modules() if isinstance(part, Gates)
            for name, _ in part.named_buffers()}


def call(module, *inputs, **options):
    return module(*inputs, **options)


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

    recompute = False  # whether a pass keeps the inputs of its blocks alone, see :meth:`block`

    def block(self, module, *inputs, function=call, draws=False):
        """``function(module, *inputs)``, one block of a pass; by default the module's own forward pass.

        With ``recompute``, its derivatives compute it again and nothing within it is kept.

        Args:
            module (nn.Module): holds all weights that the function uses.
            function: module, Tensors -> Tensor.
            draws (bool): whether it draws from torch's global random numbers.
        """
        if self.recompute:
            return recomputed_module(module, function, *inputs, draws=draws)
        return function(module, *inputs)

    @property
    def couples_images(self):
        """Whether an image's features depend on the others of its batch, by batch statistics."""
        return any(isinstance(module, BatchNorm) for module in self.modules())

    @property
    def samples(self):
        """Whether ``forward`` leaves out what has a gate of 0; the host then reads the gates once they are made."""
        return False

    def unused(self, on_host):
        """The names of the parameters that ``forward`` has no use for at these gates: a frozenset.

        Args:
            on_host (dict[str, ndarray]): of :class:`GateValues`.
        """
        return frozenset()

    @property
    def draws(self):
        """Whether ``forward`` draws random numbers, at a rate that may change with the progress."""
        return False

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
        """The random part of the gates, drawn once per iteration; empty where nothing is sampled.

        Args:
            alphas (dict[str, Tensor]): on the host, where the generator is; and so is the result.

        Returns:
            dict[str, Tensor]
        """
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
        """Images [N, 3, H, W] -> generator as in ``networks.stage_outputs``."""
        raise NotImplementedError(f'{type(self).__name__} has no stages')

    def forward(self, x):
        """Images [N, 3, H, W] -> tuple of feature maps, one an output stage, in the order of depth."""
        outputs = enumerate(stage_outputs(self.stages(x)))
        return tuple(output.contiguous() for stage, output in outputs if stage in self.out_indices)
