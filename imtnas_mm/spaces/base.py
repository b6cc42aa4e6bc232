"""The base class of search spaces: supernets whose operations are mixed by gates, and the choices that A makes."""
import contextlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np
import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..architecture import mean_entropy
from ..compat.modules import BatchNorm
from ..genotype import Genotype
from ..layers.recompute import recomputed_module
from ..networks.stage_outputs import Stages, stage_outputs
from ..progress import Progress
from ..space_format import Candidate
from ..transport import to_host


class GateValues(dict[str, Tensor]):
    """The gates by the names of their buffers, as a function of A. :meth:`read` keeps a copy of them on the host.

    A supernet that samples doesn't compute operations whose gate is 0. It looks
    these up in the copy: to read the gates themselves, the host would wait for
    a GPU in every layer of every pass.
    """
    on_host: dict[str, np.ndarray] | None = None  # shaped as the gates

    def read(self) -> Self:
        """Copies the values of all gates to the host together."""
        self.on_host = {name: gate.numpy() for name, gate in to_host(self).items()}
        return self

    def with_tensors(self, tensors: Iterable[Tensor]) -> 'GateValues':
        """The same gates, with other tensors of the same values in the same order."""
        gates = GateValues(zip(self, tensors, strict=True))
        gates.on_host = self.on_host
        return gates

    def leaves(self) -> 'GateValues':
        """The same gates as leaves of a new graph."""
        return self.with_tensors([gate.detach().requires_grad_() for gate in self.values()])


class Gates(nn.Module):
    """The numbers that a supernet mixes its operations with, as buffers.

    ``torch.func.functional_call`` replaces the buffers by tensors that depend
    on A. They are not saved, because A is.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        self.on_host: dict[str, np.ndarray] | None = None  # by name, while the host has a copy of the values
        for name, shape in shapes.items():
            self.register_buffer(name, torch.full(shape, 1 / shape[-1]), persistent=False)

    def __getitem__(self, name: str) -> Tensor:
        return getattr(self, name)

    def chosen(self, name: str) -> np.ndarray:
        """Which gates of a group are not 0: a bool array in the shape of the group."""
        return (self[name].detach().cpu().numpy() if self.on_host is None else self.on_host[name]) != 0


class KnownGates:
    """A context manager: inside it, the :class:`Gates` of a supernet use the copy that :class:`GateValues` keep."""

    def __init__(self, space: nn.Module) -> None:
        self.holders = [(f'{path}.'.lstrip('.'), part) for path, part in space.named_modules()
                        if isinstance(part, Gates)]

    @contextlib.contextmanager
    def __call__(self, gates: Mapping[str, Tensor]) -> Iterator[None]:
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


def gate_names(module: nn.Module) -> set[str]:
    """The names of the buffers of a module that are gates."""
    return {f'{path}.{name}'.lstrip('.') for path, part in module.named_modules() if isinstance(part, Gates)
            for name, _ in part.named_buffers()}


def call(module: nn.Module, *inputs: Tensor, **options: Any) -> Tensor:
    """The forward pass of a module."""
    return module(*inputs, **options)


class HasAlphas(Protocol):
    """What :class:`Supernet` and :class:`Choices` have in common. :class:`SearchSpace` describes all of it."""

    @property
    def samples(self) -> bool:
        ...

    def alpha_shapes(self) -> dict[str, tuple[int, ...]]:
        ...

    def set_progress(self, progress: Progress | None) -> None:
        ...


class Supernet(HasAlphas, Protocol):
    """The backbone of a task in a search: a :class:`SearchSpace`, or several of them (``FusedSupernet``).

    :class:`SearchSpace` describes the attributes and methods.
    """

    @property
    def out_indices(self) -> tuple[int, ...]:
        ...

    @property
    def stage_channels(self) -> tuple[int, ...]:
        ...

    @property
    def draws(self) -> bool:
        ...

    def unused(self, on_host: Mapping[str, np.ndarray]) -> frozenset[str]:
        ...

    def deterministic(self) -> contextlib.AbstractContextManager[None]:
        ...


class Choices(HasAlphas, Protocol):
    """The choices that A makes: those of a :class:`SearchSpace`, or of a space with another group (``SharedChoices``).

    :class:`SearchSpace` describes the methods.
    """

    @property
    def couples_images(self) -> bool:
        ...

    def draw(self, alphas: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        ...

    def importance(self, alphas: Mapping[str, Tensor]) -> dict[str, Tensor]:
        ...

    def gate_tensors(self, alphas: Mapping[str, Tensor], draw: Mapping[str, Tensor]) -> dict[str, Tensor]:
        ...

    def evaluation_gates(self, alphas: Mapping[str, Tensor]) -> dict[str, Tensor]:
        ...

    def entropy(self, alphas: Mapping[str, Tensor]) -> Tensor:
        ...

    def decisions(self) -> list[list[tuple[Candidate, ...]]]:
        ...

    def decision_probabilities(self, alphas: Mapping[str, Tensor]) -> list[Tensor]:
        ...

    def architecture_loss(self, alphas: Mapping[str, Tensor]) -> Tensor | None:
        ...

    def after_architecture_step(self, before: Mapping[str, Tensor], alphas: Mapping[str, Tensor],
                                draw: Mapping[str, Tensor]) -> None:
        ...

    def derive(self, alphas: Mapping[str, Tensor]) -> Genotype:
        ...


class SearchSpace(BaseModule):
    """A supernet that can be the backbone of any mmdet or mmpretrain model.

    Its parameters are the encoder weights W. A comes from outside: an algorithm
    computes :meth:`gate_tensors` once per step and passes them to
    ``functional_call`` together with the weights. Without them, the supernet
    mixes its operations uniformly.

    Subclasses call :meth:`register_gates` and implement ``alpha_shapes``,
    ``derive``, and ``stages`` with ``stage_channels`` and ``out_indices``. A
    space without stages implements ``forward`` instead. A space that samples
    overrides ``draw`` too.

    Attributes:
        out_indices (tuple[int]): the stages whose output ``forward`` returns.
        recompute (bool): whether a pass keeps only the inputs of its blocks,
            see :meth:`block`.
    """
    gates: Gates
    out_indices: tuple[int, ...]
    recompute: bool = False

    def block(self, module: nn.Module, *inputs: Tensor, function: Callable[..., Tensor] = call,
              draws: bool = False) -> Tensor:
        """``function(module, *inputs)``, a block of a pass; by default the forward pass of the module.

        With ``recompute``, no tensor inside the block is kept: its derivatives compute the block again.

        Args:
            module (nn.Module): holds all weights that the function uses.
            inputs (Tensor): the inputs of the block.
            function: module, Tensors -> Tensor.
            draws (bool): whether the function draws from torch's global random numbers.
        """
        if self.recompute:
            return recomputed_module(module, function, *inputs, draws=draws)
        return function(module, *inputs)

    @property
    def couples_images(self) -> bool:
        """Whether the features of an image depend on other images of its batch, by batch statistics."""
        return any(isinstance(module, BatchNorm) for module in self.modules())

    @property
    def samples(self) -> bool:
        """Whether ``forward`` skips operations whose gate is 0. The host then reads the gates after A's step."""
        return False

    def unused(self, on_host: Mapping[str, np.ndarray]) -> frozenset[str]:
        """The names of the parameters that ``forward`` doesn't use at these gates.

        Args:
            on_host (dict[str, ndarray]): the copy that :class:`GateValues` keep.
        """
        return frozenset()

    @property
    def draws(self) -> bool:
        """Whether ``forward`` draws random numbers, at a rate that may change with the progress."""
        return False

    def register_gates(self) -> None:
        """Creates the gates in the shapes of ``alpha_shapes``."""
        self.gates = Gates(self.alpha_shapes())

    @abstractmethod
    def alpha_shapes(self) -> dict[str, tuple[int, ...]]:
        """The groups of A in order, name -> shape; the last axis runs over candidates."""

    def blocks(self) -> dict[str, tuple[str, ...]]:
        """The blocks that a branching may share between tasks, in order: name -> paths of modules."""
        raise NotImplementedError(f'{type(self).__name__} has no blocks for a branching')

    def importance(self, alphas: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The softmaxed alphas by group (reading 4: the hypernetwork reads them in place of A)."""
        return {name: alpha.softmax(-1) for name, alpha in alphas.items()}

    def draw(self, alphas: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """The random part of the gates, drawn once per iteration; empty for a space that doesn't sample.

        Args:
            alphas (dict[str, Tensor]): A, on the host as the generator.
            generator (torch.Generator): of the host.

        Returns:
            dict[str, Tensor]: on the host.
        """
        return {}

    def gate_tensors(self, alphas: Mapping[str, Tensor], draw: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The gates as a differentiable function of A at a fixed draw: name of the buffer -> Tensor."""
        return {f'gates.{name}': weights for name, weights in self.importance(alphas).items()}

    def evaluation_gates(self, alphas: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The gates of a search network in its evaluation: name of the buffer -> Tensor."""
        return self.gate_tensors(alphas, {})

    def entropy(self, alphas: Mapping[str, Tensor]) -> Tensor:
        """The mean entropy of A's choices in nats, a scalar."""
        return mean_entropy(self.importance(alphas))

    def decisions(self) -> list[list[tuple[Candidate, ...]]]:
        """The independent decisions of :meth:`derive`: the possible outcomes of each, as the candidates that it takes.

        By default each row of a group is a decision for one candidate, since ``derive`` takes the largest of each row.
        """
        return [[((name, *row, column), ) for column in range(shape[-1])]
                for name, shape in self.alpha_shapes().items() for row in np.ndindex(*shape[:-1])]

    def decision_probabilities(self, alphas: Mapping[str, Tensor]) -> list[Tensor]:
        """The probability of each outcome of each decision, if importance weights draw it: [outcomes] per decision.

        They are a differentiable function of A in closed form.
        """
        importance = self.importance(alphas)
        return [row for name in self.alpha_shapes()
                for row in importance[name].reshape(-1, importance[name].shape[-1]).unbind()]

    def architecture_loss(self, alphas: Mapping[str, Tensor]) -> Tensor | None:
        """A term that the space adds to A's loss, a scalar; ``None`` if it adds nothing."""

    def set_progress(self, progress: Progress | None) -> None:
        """Sets the schedules of the space; called before each iteration.

        Args:
            progress (Progress | None): ``None`` before the search.
        """

    def deterministic(self) -> contextlib.AbstractContextManager[None]:
        """A context manager: inside it, ``forward`` draws no random numbers."""
        return contextlib.nullcontext()

    def after_architecture_step(self, before: Mapping[str, Tensor], alphas: Mapping[str, Tensor],
                                draw: Mapping[str, Tensor]) -> None:
        """May correct A in place after its step.

        Args:
            before (dict[str, Tensor]): A before the step.
            alphas (dict[str, Tensor]): the parameters, after the step.
            draw (dict[str, Tensor]): the draw of the iteration.
        """

    @abstractmethod
    def derive(self, alphas: Mapping[str, Tensor]) -> Genotype:
        """The architecture of these alphas."""

    def candidates(self) -> Mapping[str, Sequence[tuple[str, ...]]]:
        """The candidates of a phase, for a space that is searched in phases: group of A -> names per row."""
        raise NotImplementedError(f'{type(self).__name__} has no phases')

    def next_candidates(self, alphas: Mapping[str, Tensor], number: int) -> Mapping[str, Sequence[tuple[str, ...]]]:
        """The ``number`` candidates per row that the next phase gets."""
        raise NotImplementedError(f'{type(self).__name__} has no phases')

    @property
    def stage_channels(self) -> tuple[int, ...]:
        """The channels of each stage's output."""
        raise NotImplementedError(f'{type(self).__name__} has no stages')

    def stages(self, x: Tensor) -> Stages:
        """Images [N, 3, H, W] -> a generator of the stages, see ``networks.stage_outputs``."""
        raise NotImplementedError(f'{type(self).__name__} has no stages')

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Images [N, 3, H, W] -> tuple of feature maps, one per output stage, in the order of depth."""
        outputs = enumerate(stage_outputs(self.stages(x)))
        return tuple(output.contiguous() for stage, output in outputs if stage in self.out_indices)
