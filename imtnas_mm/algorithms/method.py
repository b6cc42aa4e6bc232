"""The interface of a search method: all that the train loop, the evaluation and the hooks call."""
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmengine.optim import OptimWrapperDict
from torch import Tensor

from ..architecture import Architecture
from ..compat.modules import ModulesByName
from ..genotype import Genotype
from ..progress import Progress
from ..spaces.base import Choices, SearchSpace
from ..tasks.base import Task
from ..transfer import KnowledgeTransfer
from .architecture_step.cost_term import CostTerm
from .stages.stage import Stage


class SearchMethod(ABC):
    """The interface between the train loop and a search method.

    A stage is one task's turn to train its weights: stage (m, k) is task k in
    round m of the iteration. One iteration of the loop is::

        method.set_progress(progress)
        stages = method.active_stages()          # a batch per stage, and batches of each task for A
        method.start_iteration(iteration)
        for stage, batch in zip(stages, batches):
            method.train_stage(stage, batch, optim_wrapper)
        if not warming_up:
            method.update_architecture(validation_batches, optim_wrapper)
            method.follow_architecture(optim_wrapper)
        method.step_weights(optim_wrapper)
        method.figures()

    An iteration depends on its number, the seed, the batches and the state in a
    checkpoint (parameters, buffers, optimisers), and on nothing else. So a
    resumed search gives the same results as a search without a stop.

    Attributes:
        order (tuple[str]): the tasks of a round.
        rounds (int): M.
        seed (int): the seed of all random numbers of an iteration; the loop
            sets it.
        stages (tuple[Stage]): all stages that an iteration may have, in order.
        tasks (ModulesByName): the :class:`Task` of each name.
        scopes (dict[str, str]): the registry scope of each task's model.
        architecture (Architecture): A.
        unroll_batch (str): the half of a task's training data that judges A,
            ``val`` or ``train``.
        architecture_batches (int): batches of that half per task and step of A.
        num_examples (int): the number of images that a stage after the first
            takes besides its batch, half of them from the previous task; 0 for
            none.
        transfer (KnowledgeTransfer | None): read if the figures have
            ``transfer/active``.
        cost (CostTerm | None): read if the figures have ``cost/derived``.
        later_entries (tuple[str]): entries of the state dict that checkpoints
            of earlier versions lack; a resumed search then starts from the
            present values.
    """
    order: tuple[str, ...]
    rounds: int
    seed: int
    stages: tuple[Stage, ...]
    tasks: ModulesByName[Task]
    scopes: dict[str, str | None]
    architecture: Architecture
    unroll_batch: str = 'val'
    architecture_batches: int = 1
    num_examples: int = 0
    transfer: KnowledgeTransfer | None
    cost: CostTerm | None
    later_entries: tuple[str, ...] = ()

    @property
    @abstractmethod
    def space(self) -> Choices:
        """The choices that A makes: a search space, or a space with another group (:class:`SharedChoices`)."""

    @staticmethod
    def choices(space: SearchSpace, model: Mapping[str, Any], order: Sequence[str]) -> Choices:
        """The choices that A makes in the search of a config, for code that reads its checkpoints.

        Args:
            space (SearchSpace): built by ``model.search_space``.
            model (dict): the config of the method.
            order (tuple[str]): the tasks of a round.
        """
        return space

    @abstractmethod
    def check_epochs(self, max_epochs: int) -> None:
        """Raises ValueError if the search has too few epochs for the method."""

    @abstractmethod
    def set_progress(self, progress: Progress) -> None:
        """Sets the progress of the search; called before each iteration. Checkpoints keep it."""

    @abstractmethod
    def active_stages(self) -> Sequence[Stage]:
        """The stages of the present iteration in order. They may depend on the progress."""

    @abstractmethod
    def start_iteration(self, iteration: int) -> None:
        """Draws the random numbers of the iteration and fixes A's gates for its weight stages."""

    @abstractmethod
    def train_stage(self, stage: Stage, batch: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """Trains a stage: the optimisers get its gradients, the later stages its one-step update.

        Args:
            stage (Stage): the next stage of the iteration.
            batch (dict): ``train``, a raw batch of D_k^tr, and ``examples``, two
                lists of raw images (of the previous task and of the present
                task). ``examples`` is absent if ``num_examples`` is 0, and in
                the first stage.
            optim_wrapper (OptimWrapperDict): ``encoder``, ``head``, ``architecture``.

        Returns:
            dict[str, Tensor]: figures for the log, with the stage in their names.
        """

    @abstractmethod
    def update_architecture(self, batches: Sequence[dict[str, dict]],
                            optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """Steps A.

        Args:
            batches (sequence of dict): ``architecture_batches`` times a raw
                batch per task.
            optim_wrapper (OptimWrapperDict): as above.

        Returns:
            dict[str, Tensor]: the tasks' validation losses at A before the step.

        Raises:
            NonFiniteError: on all ranks, if a loss or gradient isn't finite. A then stays as it was.
        """

    def follow_architecture(self, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """After A's step, before that of the weights: takes the gradients of the weights at the new A.

        By default it does nothing: the weights step on the gradients at A before its step (Algorithm 2). The bilevel
        searches of single tasks (DARTS) step A first.

        Returns:
            dict[str, Tensor]: figures for the log, in the place of those of :meth:`train_stage` with these names.
        """
        return {}

    @abstractmethod
    def step_weights(self, optim_wrapper: OptimWrapperDict) -> None:
        """Steps the optimisers of the weights on the gradients of this iteration's stages.

        Raises:
            NonFiniteError: on all ranks, if a loss or gradient of a stage isn't finite.
        """

    @abstractmethod
    def figures(self) -> dict[str, Tensor]:
        """More figures for the log of a finished iteration: scalars, which stay on their device."""

    def final_warnings(self) -> Sequence[str]:
        """What the log is to warn of at the end of the search."""
        return ()

    @abstractmethod
    def search_network(self, task: str, round: int = -1) -> Callable[[dict], list]:
        """The search network of a task in a round (the last by default), as batch of a loader -> predictions."""

    @abstractmethod
    def derive(self) -> Genotype:
        """The architecture of the present A."""
