"""The computations of stages, which a GPU may record once and then replay."""
from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor

from ..replay import Recordings
from ..spaces.base import GateValues
from .base import SearchAlgorithm
from .stages.stage import Stage
from .unused import tell_unused

D = TypeVar('D')  # data
R = TypeVar('R')  # a result


class ReplayedStages(SearchAlgorithm):
    """A search method that runs the computations of its stages through :class:`Recordings`.

    Args:
        args, options: of :class:`SearchAlgorithm`.
        replay (bool): whether computations of fixed shapes are recorded and
            replayed.
    """

    def __init__(self, *args: Any, replay: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        self.replay, self.recordings = replay, Recordings()
        self.told_of_replay: set[str] = set()  # tasks

    def replays(self, stage: Stage) -> bool:
        """Whether the computations of a stage are recorded and replayed; warns once per task where they are not."""
        if not self.replay:
            return False
        space, device = self.tasks[stage.task].space, self.importance.device.type
        reasons = [why for is_so, why in (
            (device != self.recordings.device, f'its tensors are on {device}, not on {self.recordings.device}'),
            (not self.tasks[stage.task].replayable, 'its loss launches other kernels for other values of a batch'),
            (space.samples or space.draws, 'its search space draws, and leaves operations out'),
            (bool(self.head(stage).constants()), 'its head has buffers')) if is_so]
        if reasons and stage.task not in self.told_of_replay:
            self.told_of_replay.add(stage.task)
            tell_unused(f'task {stage.task!r}', ['model.replay=True'], ', and '.join(reasons))
        return not reasons

    def run(self, what: tuple[str, ...], stage: Stage, function: Callable[[list[Tensor], D], R], tensors: list[Tensor],
            data: D) -> R:
        """``function(tensors, data)``, by :class:`Recordings` if the stage's computations are replayed.

        Args:
            what (tuple): the name of the computation.
            stage (Stage): the stage.
            function: (list[Tensor], data) -> Tensors in dicts, lists and tuples. Besides its
                arguments it may depend only on the stage's task.
            tensors (list[Tensor]): of fixed shapes.
            data: the second argument.
        """
        if not self.replays(stage):
            return function(tensors, data)
        return self.recordings((*what, f'of task {stage.task!r}'), function, tensors, data)

    def compute(self, what: tuple[str, ...], stage: Stage, function: Callable[[list[Tensor], D], R],
                tensors: list[Tensor], data: D) -> R:
        """:meth:`run` with the gates before the other tensors; :meth:`split_gates` separates them."""
        return self.run(what, stage, function, [*self.gates.values(), *tensors], data)

    def split_gates(self, tensors: list[Tensor]) -> tuple[GateValues, list[Tensor]]:
        """The gates and the other tensors that :meth:`compute` passes to its function."""
        count = len(self.gates)
        return self.gates.with_tensors(tensors[:count]), tensors[count:]
