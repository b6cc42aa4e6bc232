"""A group of A that decides on shared parts of the tasks' networks, besides the groups for a space's operations."""
import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from ...genotype import Genotype
from ...progress import Progress
from ...space_format import Candidate
from ...spaces.base import SearchSpace
from ..base import SearchAlgorithm


class SharedChoices(ABC):
    """A search space with another group of A, which decides on the parts that the tasks share.

    All other attributes are those of the space. A subclass sets ``group`` and
    implements ``group_shape``, ``group_importance`` and ``sharing``.

    Args:
        space (SearchSpace): the space of the operations.
        tasks (tuple[str]): the names of the K tasks.

    Raises:
        ValueError: if there are no tasks.
    """
    group: str  # the name of the group in A

    def __init__(self, space: SearchSpace, tasks: Sequence[str]) -> None:
        if not tasks:
            raise ValueError('train_cfg.order: is missing; it must name the tasks, which share parts')
        self.space, self.tasks = space, tuple(tasks)
        self.progress: Progress | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__') or name == 'space':
            raise AttributeError(name)
        return getattr(self.space, name)

    def operations(self, alphas: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A without the group."""
        return {name: alpha for name, alpha in alphas.items() if name != self.group}

    @abstractmethod
    def group_shape(self) -> tuple[int, ...]:
        """The shape of the group."""

    @abstractmethod
    def group_importance(self, logits: Tensor) -> Tensor:
        """The importance weights of the group, in the shape of its logits."""

    def group_loss(self, logits: Tensor) -> Tensor | None:
        """A term that the group adds to A's loss, a scalar; ``None`` if it adds nothing."""
        return None

    @abstractmethod
    def sharing(self, logits: Tensor) -> dict[str, Any]:
        """The ``sharing`` of the genotype."""

    @property
    def samples(self) -> bool:
        return self.space.samples

    @property
    def couples_images(self) -> bool:
        return self.space.couples_images

    def alpha_shapes(self) -> dict[str, tuple[int, ...]]:
        return {**self.space.alpha_shapes(), self.group: self.group_shape()}

    def set_progress(self, progress: Progress | None) -> None:
        self.progress = progress
        self.space.set_progress(progress)

    @property
    def warming_up(self) -> bool:
        """Whether A is frozen."""
        return self.progress is not None and self.progress.epoch < self.progress.warmup_epochs

    @property
    def fraction(self) -> float:
        """The share of the search that is done."""
        return 0. if self.progress is None else self.progress.fraction

    def draw(self, alphas: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        return self.space.draw(self.operations(alphas), generator)

    def importance(self, alphas: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {**self.space.importance(self.operations(alphas)), self.group: self.group_importance(alphas[self.group])}

    def gate_tensors(self, alphas: Mapping[str, Tensor], draw: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return self.space.gate_tensors(self.operations(alphas), draw)

    def evaluation_gates(self, alphas: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return self.space.evaluation_gates(self.operations(alphas))

    def entropy(self, alphas: Mapping[str, Tensor]) -> Tensor:
        return self.space.entropy(self.operations(alphas))

    def decisions(self) -> list[list[tuple[Candidate, ...]]]:
        return self.space.decisions()

    def decision_probabilities(self, alphas: Mapping[str, Tensor]) -> list[Tensor]:
        return self.space.decision_probabilities(self.operations(alphas))

    def architecture_loss(self, alphas: Mapping[str, Tensor]) -> Tensor | None:
        losses = self.space.architecture_loss(self.operations(alphas)), self.group_loss(alphas[self.group])
        parts = [part for part in losses if part is not None]
        return functools.reduce(torch.add, parts) if parts else None

    def after_architecture_step(self, before: Mapping[str, Tensor], alphas: Mapping[str, Tensor],
                                draw: Mapping[str, Tensor]) -> None:
        self.space.after_architecture_step(self.operations(before), self.operations(alphas), draw)

    def derive(self, alphas: Mapping[str, Tensor]) -> Genotype:
        return replace(self.space.derive(self.operations(alphas)), sharing=self.sharing(alphas[self.group]))


C = TypeVar('C', bound=SharedChoices)


class SharedChoicesSearch(SearchAlgorithm, Generic[C]):
    """A search method over :class:`SharedChoices` of a class C; the first base class of such methods."""
    _choices: C | None = None

    def build_choices(self) -> C:
        """The choices of the method; called once the tasks are built."""
        raise NotImplementedError

    @property
    def space(self) -> C:
        if self._choices is None:
            self._choices = self.build_choices()
        return self._choices

    def _tell_spaces(self, progress: Progress | None) -> None:
        super()._tell_spaces(progress)
        self.space.set_progress(progress)
