"""The train loop of a search: in each iteration the stages train the weights, then A is updated.

A search visits its K tasks in M rounds. A stage is one task in one round. A are the architecture variables.
"""
import copy
import datetime
import itertools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmengine.logging import print_log
from torch import nn

from ...algorithms.stages.stage import Stage
from ...datasets import splits_of
from ...finite import read_scalars
from ...progress import Progress
from ...registry import LOOPS
from ..optim import take_gradient_norms
from ..runner import SearchRunner
from .feed import Feed, FeedData
from .iteration_guard import IterationGuard
from .resumable_loop import FeedLoop, check_at_least
from .task_data import TaskData
from .trial import FirstIterations, TrialSeconds, measured_call, try_iterations


@dataclass
class IterationBatches:
    """The data of one iteration: one batch per stage, and dicts of one batch per task for A."""
    stages: list[dict[str, Any]] = field(default_factory=list)
    architecture: list[dict[str, dict[str, Any]]] = field(default_factory=list)


class SearchData(FeedData):
    """The feeds of all tasks: batches for the weights, batches for A, images for a transfer.

    Args:
        stages (tuple[Stage]): all stages that an iteration may have.
        tasks (dict[str, TaskData]): by name.
        num_examples (int): images per transfer; 0 without a transfer.
        unroll_batch (str): the half of the data on which A is judged.
        length (int): iterations of an epoch.
        architecture_batches (int): batches for A per task.
    """

    def __init__(self, stages: Sequence[Stage], tasks: Mapping[str, TaskData], num_examples: int, unroll_batch: str,
                 length: int, architecture_batches: int = 1) -> None:
        self.num_examples = num_examples
        self.architecture_batches = architecture_batches
        num_stages = {name: sum(stage.task == name for stage in stages) for name in tasks}
        num_transfers = {name: 0 for name in tasks}  # from or to this task
        for before, stage in itertools.pairwise(stages):
            num_transfers[before.task] += 1
            num_transfers[stage.task] += 1
        self.train = {name: Feed(data.train_loader, num_stages[name]) for name, data in tasks.items()}
        self.architecture = {
            name: Feed(lambda seed, start, data=data: data.architecture_loader(seed, start, unroll_batch),
                       architecture_batches)
            for name, data in tasks.items()
        }
        self.examples = {
            name: Feed(lambda seed, start, data=data: data.example_loader(seed, start, num_examples // 2),
                        num_transfers[name] if num_examples else 0)
            for name, data in tasks.items()
        }
        super().__init__(
            tuple(data.dataset for data in tasks.values()),
            {name: (self.train[name], self.architecture[name], self.examples[name]) for name in tasks}, length)

    def next(self, iteration: int, stages: Sequence[Stage]) -> IterationBatches:
        """The batches for the ``stages`` of an iteration: a function of the seed and the iteration.

        Loaders of other tasks stop, with their workers.
        """
        active = {stage.task for stage in stages}
        self.seek(iteration, active)
        batches = IterationBatches()
        previous = None
        for stage in stages:
            batch: dict[str, Any] = dict(train=self.train[stage.task].next())
            if previous is not None and self.num_examples:
                batch['examples'] = tuple(self.examples[s.task].next()['inputs'] for s in (previous, stage))
            batches.stages.append(batch)
            previous = stage
        batches.architecture = [
            {name: feed.next() for name, feed in self.architecture.items() if name in active}
            for _ in range(self.architecture_batches)]
        return batches


@LOOPS.register_module()
class InterleavedSearchLoop(FeedLoop[IterationBatches]):
    """Per iteration: M rounds over K tasks, then one update of A (Algorithm 2; reading 7).

    Args:
        dataloader (dict): ``train_dataloader``, one dataloader config per task.
        rounds (int): M.
        order (tuple[str]): the tasks of a round, as in ``('cls', 'det')``.
            :class:`SearchRunner` hands both to the model.
        max_epochs (int): of ``epoch_length`` iterations each.
        epoch_length (int, optional): by default the number of full batches in
            the first task's D^tr: each of its stages sees D^tr once per epoch.
        warmup_epochs (int): epochs with A frozen.
        split (dict): ``ratio`` of D^tr, or the sizes ``train`` and ``val`` of
            D^tr and D^val, and the ``seed`` of the draw; by default halves.
            ``tasks`` has these fields of single tasks
            (:func:`~imtnas_mm.datasets.splits_of`).
        val_begin, val_interval (int): in epochs, as in mmengine; the last epoch
            is always validated.
        non_finite (str): at a NaN or infinite loss, gradient or weight,
            ``stop`` the run with an error, or ``skip`` the iteration
            (:class:`IterationGuard`).

    Attributes:
        trial (TrialSeconds | None): of a run that starts in the warm-up: what
            iterations with A's steps will take.
    """
    trial: TrialSeconds | None = None
    _fetched: IterationBatches | None = None  # of iteration ``iter``, for the trial
    _first: FirstIterations | None = None

    def __init__(self,
                 runner: SearchRunner,
                 dataloader: dict[str, dict],
                 rounds: int,
                 order: Sequence[str],
                 max_epochs: int,
                 epoch_length: int | None = None,
                 warmup_epochs: int = 0,
                 split: dict[str, Any] | None = None,
                 val_begin: int = 1,
                 val_interval: int = 1,
                 non_finite: str = 'stop') -> None:
        model = runner.model
        model.check_epochs(max_epochs)
        if set(dataloader) != set(order):
            raise ValueError(f'train_dataloader has {sorted(dataloader)}; train_cfg.order={tuple(order)} needs a '
                             'dataloader for each of its tasks and no other')
        check_at_least(max_epochs=(max_epochs, 1), warmup_epochs=(warmup_epochs, 0), val_interval=(val_interval, 1))
        splits = splits_of(split, tuple(order), 'train_cfg.split')
        self.tasks = {
            name: TaskData(name, i, dataloader[name], model.tasks[name].scope, splits[name])
            for i, name in enumerate(order)
        }
        length = self.tasks[order[0]].batches_per_epoch if epoch_length is None else epoch_length
        check_at_least(epoch_length=(length, 1))
        for data in self.tasks.values():
            data.check_examples(model.num_examples // 2)
        super().__init__(
            runner, SearchData(model.stages, self.tasks, model.num_examples, model.unroll_batch, length,
                               model.architecture_batches), max_epochs, val_begin, val_interval)
        self.warmup_epochs = warmup_epochs
        self.guard = IterationGuard(non_finite)

    def run(self) -> nn.Module:
        runner = self.runner
        runner.model.seed = runner.seed
        with warnings.catch_warnings():
            # A's schedule goes on in the warm-up, in which A takes no step
            warnings.filterwarnings('ignore', r'Detected call of `scheduler.step\(\)` before `optimizer.step\(\)`')
            return super().run()

    def start(self) -> None:
        super().start()
        self._first = FirstIterations(measured_call(self.runner.model))

    def before_epochs(self) -> None:
        """In the warm-up, a trial of iterations that step A: as if the warm-up were over now."""
        if not self._epoch < self.warmup_epochs < self._max_epochs:
            return
        model, length = self.runner.model, len(self.dataloader)
        here = self.progress_at(self._epoch, self._iter)
        model.train()
        self._fetched = batches = self.next_batches()

        def iteration(progress: Progress, steps_architecture: bool) -> None:
            model.set_progress(progress)
            read_scalars(self.update(copy.deepcopy(batches), steps_architecture))  # waits for the device

        self.trial = try_iterations(
            self.runner, lambda: iteration(here, False), lambda: iteration(here._replace(warmup_epochs=0), True),
            f'with epoch {self.warmup_epochs + 1}')
        model.set_progress(here)
        if self.trial is not None:
            steps = (self._max_epochs - self.warmup_epochs) * length
            self._tell_time(
                f'a trial took {self.trial.warmup:.2f} s per iteration of the warm-up and {self.trial.later:.2f} s per '
                'iteration with a step of A',
                (self._max_iters - self._iter - steps) * self.trial.warmup + steps * self.trial.later,
                ' and the reading of data')

    def _tell_time(self, measured: str, seconds: float, without: str = '') -> None:
        left = self._max_iters - self._iter
        print_log(f'{measured}; about {datetime.timedelta(seconds=int(seconds))} for the {left} iterations to come, '
                  f'without validations{without}', self.runner.logger)

    def run_iter(self, index: int, batch: IterationBatches) -> None:
        super().run_iter(index, batch)
        seconds = None if self._first is None else self._first.ended()
        if self._first is not None and seconds is not None and self.trial is None and self._iter < self._max_iters:
            without = " and A's steps" if self._epoch < self.warmup_epochs < self._max_epochs else ''
            self._tell_time(f'iteration {self._first.measured} of this run took {seconds:.2f} s',
                            (self._max_iters - self._iter) * seconds, without)

    def kinds_of_epochs(self) -> dict[tuple[tuple[str, ...], bool], list[int]]:
        """The epochs by what an iteration does: (names of the stages that train, whether A learns) -> epochs."""
        kinds: dict[tuple[tuple[str, ...], bool], list[int]] = {}
        for epoch in range(self._max_epochs):
            self.runner.model.set_progress(self.progress_at(epoch, epoch * len(self.dataloader)))
            stages = tuple(stage.name for stage in self.runner.model.active_stages())
            kinds.setdefault((stages, epoch >= self.warmup_epochs), []).append(epoch)
        self.runner.model.set_progress(self.progress_at(self._epoch, self._iter))
        return kinds

    def progress_at(self, epoch: int, iteration: int) -> Progress:
        return Progress(epoch, self._max_epochs, self.warmup_epochs, iteration / max(self._max_iters - 1, 1))

    def data_lines(self) -> list[str]:
        """The parts of each task's data, and the iteration with which A's steps start."""
        lines = [f'task {name}: {len(data.train_indices)} examples train its weights and head, {len(data.val_indices)} '
                 f'the architecture; of {len(data.dataset)}, split by seed {data.split.seed}'
                 for name, data in self.tasks.items()]
        warmup = min(self.warmup_epochs, self._max_epochs)
        iterations = warmup * len(self.dataloader)
        starts = 'from the first iteration on' if not warmup else 'never, all epochs are warm-up' if (
            warmup == self._max_epochs) else (
                f'from epoch {warmup + 1} on, after {iterations} iterations')
        return [*lines, f'architecture: trained {starts}']

    def next_batches(self) -> IterationBatches:
        model = self.runner.model
        model.set_progress(self.progress_at(self._epoch, self._iter))
        if self._fetched is not None:
            fetched, self._fetched = self._fetched, None
            return fetched
        return self.dataloader.next(self._iter, model.active_stages())

    def step(self, batches: IterationBatches) -> dict[str, Any]:
        steps_architecture = self._epoch >= self.warmup_epochs
        return read_scalars(self.guard(self.runner, lambda: self.update(batches, steps_architecture)))

    def update(self, batches: IterationBatches, steps_architecture: bool) -> dict[str, Any]:
        """Runs all stages in order, updates A, then steps weights and heads; returns the figures to log."""
        runner, model = self.runner, self.runner.model
        take_gradient_norms(runner.optim_wrapper)  # those of an iteration that was left out
        model.start_iteration(self._iter)
        figures = {}
        for stage, batch in zip(model.active_stages(), batches.stages, strict=True):
            figures.update(model.train_stage(stage, batch, runner.optim_wrapper))
        if steps_architecture:
            figures.update(model.update_architecture(batches.architecture, runner.optim_wrapper))
            figures.update(model.follow_architecture(runner.optim_wrapper))
        model.step_weights(runner.optim_wrapper)
        return {**figures, **model.figures(), **take_gradient_norms(runner.optim_wrapper)}
