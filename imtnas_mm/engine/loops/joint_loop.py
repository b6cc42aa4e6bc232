"""The train loop of a joint model: one minibatch of every task per iteration."""
from collections.abc import Mapping
from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import EMAHook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from ...datasets import BuiltDataset
from ...random_state import Purpose, isolated_random
from ...registry import LOOPS
from ...tasks import JointModel
from .feed import Feed, FeedData
from .resumable_loop import FeedLoop, check_at_least
from .task_data import TrainingSet


class TaskDatasets:
    """The training sets as one dataset: its ``metainfo``, by task, goes into checkpoints."""

    def __init__(self, datasets: Mapping[str, BuiltDataset]) -> None:
        self.datasets = datasets

    def __len__(self) -> int:
        return sum(map(len, self.datasets.values()))

    @property
    def metainfo(self) -> dict[str, Any]:
        return {name: getattr(dataset, 'metainfo', {}) for name, dataset in self.datasets.items()}


class JointData(FeedData):
    """One feed per task.

    Args:
        tasks (dict[str, TrainingSet]): by name.
        length (int): iterations of an epoch.
    """

    def __init__(self, tasks: Mapping[str, TrainingSet], length: int) -> None:
        super().__init__(
            TaskDatasets({name: data.dataset for name, data in tasks.items()}),
            {name: (Feed(data.train_loader), ) for name, data in tasks.items()}, length)

    def next(self, iteration: int) -> dict[str, Any]:
        """dict: task -> batch of an iteration, a function of the seed and the iteration."""
        self.seek(iteration, self.feeds)
        return {name: feed.next() for name, (feed, ) in self.feeds.items()}


@LOOPS.register_module()
class JointTrainLoop(FeedLoop[dict[str, Any]]):
    """Steps a :class:`JointModel` on one minibatch of each task per iteration.

    Batches and random numbers of the model (dropout, drop path) depend on the
    seed, the iteration and the rank alone: a resumed run continues bit by bit.

    Args:
        dataloader (dict): ``train_dataloader``, one dataloader config per task;
            the whole set is used.
        max_epochs (int): of ``epoch_length`` iterations each.
        epoch_length (int, optional): by default the number of full batches in
            the first task's training set.
        val_begin, val_interval (int): in epochs, as in mmengine; the last epoch
            is always validated.
    """

    def __init__(self, runner: Runner, dataloader: dict[str, dict], max_epochs: int, epoch_length: int | None = None,
                 val_begin: int = 1, val_interval: int = 1) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not isinstance(model, JointModel):
            raise ValueError(f'train_cfg.type=JointTrainLoop: model.type is {type(model).__name__}; it trains a '
                             'JointModel')
        if set(dataloader) != set(model.order):
            raise ValueError(f'train_dataloader has {sorted(dataloader)}; model.tasks are {list(model.order)}, and '
                             'each needs a dataloader')
        check_at_least(max_epochs=(max_epochs, 1), val_interval=(val_interval, 1))
        self.tasks = {name: TrainingSet(name, i, dataloader[name], model.scopes[name])
                      for i, name in enumerate(model.order)}
        length = self.tasks[model.order[0]].batches_per_epoch if epoch_length is None else epoch_length
        check_at_least(epoch_length=(length, 1))
        super().__init__(runner, JointData(self.tasks, length), max_epochs, val_begin, val_interval)

    def run(self) -> nn.Module:
        for hook in self.runner.hooks:
            if isinstance(hook, EMAHook) and hook.ema_model.update_buffers:
                raise ValueError('EMAHook.update_buffers=True: it would average a shared weight once per task in each '
                                 'iteration; leave it out, the running statistics are kept as they are')
        return super().run()

    def data_lines(self) -> list[str]:
        """The size of each task's data."""
        return [f'task {name}: {len(data.dataset)} examples, seen once in {data.batches_per_epoch} iterations'
                for name, data in self.tasks.items()]

    def next_batches(self) -> dict[str, Any]:
        return self.dataloader.next(self._iter)

    def step(self, batches: dict[str, Any]) -> dict[str, Any]:
        runner = self.runner
        key = Purpose.JOINT_ITERATION.key(seed=runner.seed, iteration=self._iter, rank=get_rank())
        with isolated_random(*key):
            return runner.model.train_step(batches, optim_wrapper=runner.optim_wrapper)
