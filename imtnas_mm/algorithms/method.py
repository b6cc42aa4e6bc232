"""What the train loop, the evaluation and the hooks ask of a search method: all of it, in one place."""
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn

from ..architecture import Architecture
from ..genotype import Genotype
from ..progress import Progress
from .stage import Stage


class SearchMethod(ABC):
    """A search method, as the train loop sees it.

    A stage is one task's turn to train its weights: stage (m, k) is task k in
    round m of the iteration. One iteration of the loop is::

        method.set_progress(progress)
        stages = method.active_stages()          # one batch per stage, one per task for A
        method.start_iteration(iteration)
        for stage, batch in zip(stages, batches):
            method.train_stage(stage, batch, optim_wrapper)
        method.update_architecture(validation_batches, optim_wrapper)    # not in the warm-up
        method.step_weights(optim_wrapper)
        method.figures()

    All that an iteration does is a function of its number, the seed, the
    batches, and what a checkpoint holds (parameters, buffers, optimisers), so a
    search that was stopped goes on as if it hadn't been.

    Attributes:
        order (tuple[str]): the tasks of a round.
        rounds (int): M.
        seed (int): of all that an iteration draws; the loop sets it.
        stages (tuple[Stage]): all stages that an iteration may have, in order.
        tasks (nn.ModuleDict): the :class:`Task` of each name.
        scopes (dict[str, str]): the registry scope of each task's model.
        architecture (Architecture): A.
        unroll_batch (str): the half of a task's training data that A is judged on, ``val`` or ``train``.
        num_examples (int): images that a stage after the first takes beside its
            batch, half from the previous task; 0 for none.
    """
    order: tuple[str, ...]
    rounds: int
    seed: int
    stages: tuple[Stage, ...]
    tasks: nn.ModuleDict
    scopes: dict[str, str]
    architecture: Architecture
    unroll_batch: str = 'val'
    num_examples: int = 0

    @property
    @abstractmethod
    def space(self) -> Any:
        """The choices that A makes: a search space, or one with further groups (:class:`SharedChoices`)."""

    @abstractmethod
    def check_epochs(self, max_epochs: int) -> None:
        """Raises ValueError for a search of too few epochs for the method."""

    @abstractmethod
    def set_progress(self, progress: Progress) -> None:
        """How far the search is; called before each iteration. Checkpoints keep it."""

    @abstractmethod
    def active_stages(self) -> Sequence[Stage]:
        """The stages of the present iteration, in order; they may depend on the progress."""

    @abstractmethod
    def start_iteration(self, iteration: int) -> None:
        """Draws what the iteration needs, by its number, and fixes A's gates for the weight stages."""

    @abstractmethod
    def train_stage(self, stage: Stage, batch: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One stage: its gradients go to the optimisers, its one-step update to what comes after it.

        Args:
            stage (Stage): the stage after the last one trained.
            batch (dict): ``train``, a raw batch of D_k^tr, and ``examples``, two
                lists of raw images (of the previous task and of this one), absent
                where ``num_examples`` is 0 and in the first stage.
            optim_wrapper (OptimWrapperDict): ``encoder``, ``head``, ``architecture``.

        Returns:
            dict[str, Tensor]: figures to log, named by the stage.
        """

    @abstractmethod
    def update_architecture(self, batches: dict[str, dict], optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """A's step.

        Args:
            batches (dict[str, dict]): one raw batch per task.

        Returns:
            dict[str, Tensor]: the tasks' validation losses at the A that the step started from.

        Raises:
            NonFiniteError: on all ranks, where a loss or gradient isn't finite; A has not moved by it.
        """

    @abstractmethod
    def step_weights(self, optim_wrapper: OptimWrapperDict) -> None:
        """The optimisers' steps on what the stages of this iteration gave.

        Raises:
            NonFiniteError: on all ranks, where a loss or gradient of a stage isn't finite.
        """

    @abstractmethod
    def figures(self) -> dict[str, Tensor]:
        """What else to log of an iteration that is done; scalars, which stay on their device."""

    @abstractmethod
    def search_network(self, task: str, round: int = -1) -> Callable[[dict], list]:
        """The network of a task in a round (the last by default): batch of a loader -> predictions."""

    @abstractmethod
    def derive(self) -> Genotype:
        """The genotype of the present A."""
