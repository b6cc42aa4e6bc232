"""Validation and test loops over several tasks: each network runs on its own dataset with its own metrics."""
import itertools
import logging
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import BaseLoop, Runner
from torch.utils.data import DataLoader

from ...datasets import BuiltDataset, build_dataset, check_boxes, check_evaluator, is_validation_part, validation_part
from ...registry import LOOPS, built_before
from .task_data import TaskData


class _EvaluationLoop(BaseLoop):
    """Runs every task's network over its dataloader and evaluator.

    A subclass lists the networks (:meth:`networks`).

    Args:
        dataloader (dict): one dataloader config per task.
        evaluator (dict): one evaluator config per task.
    """
    mode = None

    def __init__(self, runner, dataloader, evaluator):
        self.model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        order = self.model.order
        for part, cfgs in (('dataloader', dataloader), ('evaluator', evaluator)):
            if set(cfgs) != set(order):
                raise ValueError(f'{self.mode}_{part} has {sorted(cfgs)}; the model has the tasks {list(order)}, and '
                                 f'each needs its {part}')
        self.loaders, self.evaluators = {}, {}
        self.label = order[0]  # of the network that is evaluated, for lines of the log
        for name in order:
            cfg = dict(dataloader[name])
            if 'dataset' not in cfg:
                raise ValueError(f'{self.mode}_dataloader.{name}.dataset is missing')
            scope = self.model.scopes[name]
            field, evaluator_field = f'{self.mode}_dataloader.{name}.dataset', f'{self.mode}_evaluator.{name}'
            if is_validation_part(cfg['dataset']):
                check_boxes(cfg['dataset'], evaluator[name], field, evaluator_field)
            dataset = self.build_dataset(runner, name, cfg['dataset'], field)
            check_evaluator(evaluator[name], evaluator_field)
            with DefaultScope.overwrite_default_scope(scope):
                self.loaders[name] = runner.build_dataloader(dict(cfg, dataset=built_before(dataset)),
                                                             seed=runner.seed)
                self.evaluators[name] = runner.build_evaluator(evaluator[name])
            self.evaluators[name].dataset_meta = dataset.metainfo
        super().__init__(runner, self.loaders[order[0]])

    def build_dataset(self, runner: Runner, name: str, cfg: dict[str, Any], field: str) -> BuiltDataset:
        """The dataset of a task."""
        return build_dataset(cfg, self.model.scopes[name], field)

    @property
    def evaluator(self):
        return self.evaluators

    def networks(self):
        """Per network: (label, task, function from a loader's batch to predictions)."""
        raise NotImplementedError

    @torch.no_grad()
    def run(self):
        """dict of ``<label>/<metric>``."""
        runner = self.runner
        runner.call_hook(f'before_{self.mode}')
        runner.call_hook(f'before_{self.mode}_epoch')
        runner.model.eval()
        metrics = {}
        for label, name, predict in self.networks():
            self.label = label
            metrics.update({f'{label}/{key}': value for key, value in self.run_task(name, predict).items()})
        runner.call_hook(f'after_{self.mode}_epoch', metrics=metrics)
        runner.call_hook(f'after_{self.mode}')
        return metrics

    def run_task(self, name, predict):
        self.dataloader = self.loaders[name]
        with DefaultScope.overwrite_default_scope(self.model.scopes[name]):
            for index, batch in enumerate(self.dataloader):
                self.runner.call_hook(f'before_{self.mode}_iter', batch_idx=index, data_batch=batch)
                outputs = predict(batch)
                self.evaluators[name].process(data_samples=outputs, data_batch=batch)
                self.runner.call_hook(f'after_{self.mode}_iter', batch_idx=index, data_batch=batch, outputs=outputs)
            return self.evaluators[name].evaluate(len(self.dataloader.dataset))


class _SearchEvaluationLoop(_EvaluationLoop):
    """Evaluates the networks of a search. A search visits its tasks in rounds and has one network per task and round.

    Args:
        all_rounds (bool): evaluate every round, not the last alone; metrics of
            an earlier round m are logged as ``r<m>.<task>/...``.
    """

    def __init__(self, runner, dataloader, evaluator, all_rounds=False):
        super().__init__(runner, dataloader, evaluator)
        self.all_rounds = all_rounds
        if self.model.space.couples_images:
            for name, loader in self.loaders.items():
                warn_of_sorted_images(f'{self.mode}_dataloader.{name}', loader)

    def networks(self):
        model = self.model
        for round in range(0 if self.all_rounds else model.rounds - 1, model.rounds):
            for name in model.order:
                label = name if round == model.rounds - 1 else f'r{round + 1}.{name}'
                yield label, name, model.search_network(name, round)


class _JointEvaluationLoop(_EvaluationLoop):
    """Evaluates each task's model of a :class:`JointModel`."""

    def networks(self):
        for name, model in self.model.tasks.items():
            yield name, name, model.test_step


def warn_of_sorted_images(field: str, loader: DataLoader) -> None:
    """Warns if the first batch has few of the classes, as of images in class folders that are read in order.

    The norms of a search network take the statistics of the batch, so its figures are lower on such batches than on
    mixed ones. A batch has few classes if they are less than half of those that it has room for.

    Args:
        field (str): of the loader in the config.
        loader (DataLoader): of any task; only datasets whose images have one label each are looked at.
    """
    dataset: Any = loader.dataset
    data_info, classes = getattr(dataset, 'get_data_info', None), dataset.metainfo.get('classes')
    if data_info is None or classes is None:
        return
    infos = [data_info(i) for i in itertools.islice(loader.sampler, loader.batch_size or 0)]
    if not all(isinstance(info.get('gt_label'), int | np.integer) for info in infos):
        return
    seen = len({int(info['gt_label']) for info in infos})
    if 2 * seen < min(len(classes), len(infos)):
        print_log(f'{field}: the first batch of {len(infos)} images has {seen} of {len(classes)} classes. The norms of '
                  'the search network take the statistics of the batch, so that its figures are too low on such '
                  f"batches. Mix the images: {field}.sampler=dict(type='DefaultSampler', shuffle=True, seed=0)",
                  logger='current', level=logging.WARNING)


@LOOPS.register_module()
class SearchValLoop(_SearchEvaluationLoop):
    """Validates the search networks.

    A dataset of the type ``ValidationPart`` is D^val of the task, on which A
    learns, by the pipeline of a test
    (:func:`~imtnas_mm.datasets.validation_part`).
    """
    mode = 'val'

    def build_dataset(self, runner: Runner, name: str, cfg: dict[str, Any], field: str) -> BuiltDataset:
        if not is_validation_part(cfg):
            return super().build_dataset(runner, name, cfg, field)
        loop: Any = runner.train_loop
        data: TaskData = loop.tasks[name]
        with DefaultScope.overwrite_default_scope(data.scope):
            return validation_part(cfg, data.dataset, data.val_indices, field)


@LOOPS.register_module()
class SearchTestLoop(_SearchEvaluationLoop):
    mode = 'test'


@LOOPS.register_module()
class JointValLoop(_JointEvaluationLoop):
    mode = 'val'


@LOOPS.register_module()
class JointTestLoop(_JointEvaluationLoop):
    mode = 'test'
