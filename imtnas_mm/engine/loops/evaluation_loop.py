"""Validation and test of several tasks' networks, each by its own metrics."""
import torch
from mmengine.model import is_model_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import BaseLoop

from ...datasets import build_dataset, check_evaluator
from ...registry import LOOPS, built_before


class _EvaluationLoop(BaseLoop):
    """Runs every task's network over its dataloader and evaluator.

    A subclass says by :meth:`networks` which they are.

    Args:
        dataloader (dict): a dataloader config a task.
        evaluator (dict): an evaluator config a task.
    """
    mode = None

    def __init__(self, runner, dataloader, evaluator):
        self.model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        order = self.model.order
        for what, given in (('dataloader', dataloader), ('evaluator', evaluator)):
            if set(given) != set(order):
                raise ValueError(f'{self.mode}_{what} has {sorted(given)}; the model has the tasks {list(order)}, and '
                                 'each needs one')
        self.loaders, self.evaluators = {}, {}
        for name in order:
            cfg = dict(dataloader[name])
            if 'dataset' not in cfg:
                raise ValueError(f'{self.mode}_dataloader.{name}.dataset is missing')
            scope = self.model.scopes[name]
            dataset = build_dataset(cfg['dataset'], scope, f'{self.mode}_dataloader.{name}.dataset')
            check_evaluator(evaluator[name], f'{self.mode}_evaluator.{name}')
            with DefaultScope.overwrite_default_scope(scope):
                self.loaders[name] = runner.build_dataloader(dict(cfg, dataset=built_before(dataset)),
                                                             seed=runner.seed)
                self.evaluators[name] = runner.build_evaluator(evaluator[name])
            self.evaluators[name].dataset_meta = dataset.metainfo
        super().__init__(runner, self.loaders[order[0]])

    @property
    def evaluator(self):
        return self.evaluators

    def networks(self):
        """(label, task, function from a loader's batch to predictions) of each network to run."""
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
    """Of a search network.

    Args:
        all_rounds (bool): evaluate the networks of every round, not of the
            last alone; those of round m are logged as ``r<m>.<task>/...``.
    """

    def __init__(self, runner, dataloader, evaluator, all_rounds=False):
        super().__init__(runner, dataloader, evaluator)
        self.all_rounds = all_rounds

    def networks(self):
        model = self.model
        for round in range(0 if self.all_rounds else model.rounds - 1, model.rounds):
            for name in model.order:
                label = name if round == model.rounds - 1 else f'r{round + 1}.{name}'
                yield label, name, model.search_network(name, round)


class _JointEvaluationLoop(_EvaluationLoop):
    """Of a :class:`JointModel`."""

    def networks(self):
        for name, model in self.model.tasks.items():
            yield name, name, model.test_step


@LOOPS.register_module()
class SearchValLoop(_SearchEvaluationLoop):
    mode = 'val'


@LOOPS.register_module()
class SearchTestLoop(_SearchEvaluationLoop):
    mode = 'test'


@LOOPS.register_module()
class JointValLoop(_JointEvaluationLoop):
    mode = 'val'


@LOOPS.register_module()
class JointTestLoop(_JointEvaluationLoop):
    mode = 'test'
