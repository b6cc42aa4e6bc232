"""Validation and test of a search network by each task's own metrics."""
import torch
from mmengine.registry import DefaultScope
from mmengine.runner import BaseLoop

from ..datasets import build_dataset, check_evaluator
from ..registry import LOOPS


class _EvaluationLoop(BaseLoop):
    """Runs every task's network over its dataloader and evaluator.

    Args:
        dataloader (dict): a dataloader config a task.
        evaluator (dict): an evaluator config a task.
        all_rounds (bool): evaluate the networks of every round, not of the
            last alone; those of round m are logged as ``r<m>.<task>/...``.
    """
    mode = None

    def __init__(self, runner, dataloader, evaluator, all_rounds=False):
        model = runner.model
        for what, given in (('dataloader', dataloader), ('evaluator', evaluator)):
            if set(given) != set(model.order):
                raise ValueError(f'{self.mode}_{what} has {sorted(given)}; the search has the tasks '
                                 f'{list(model.order)}, and each needs one')
        self.loaders, self.evaluators = {}, {}
        for name in model.order:
            scope = model.tasks[name].scope
            cfg = dict(dataloader[name])
            if 'dataset' not in cfg:
                raise ValueError(f'{self.mode}_dataloader.{name}.dataset is missing')
            dataset = build_dataset(cfg['dataset'], scope, f'{self.mode}_dataloader.{name}.dataset')
            check_evaluator(evaluator[name], f'{self.mode}_evaluator.{name}')
            with DefaultScope.overwrite_default_scope(scope):
                self.loaders[name] = runner.build_dataloader(dict(cfg, dataset=dict(type=lambda d=dataset: d)),
                                                             seed=runner.seed)
                self.evaluators[name] = runner.build_evaluator(evaluator[name])
            self.evaluators[name].dataset_meta = dataset.metainfo
        self.all_rounds = all_rounds
        super().__init__(runner, self.loaders[model.order[0]])

    @property
    def evaluator(self):
        return self.evaluators

    @torch.no_grad()
    def run(self):
        """dict of ``<task>/<metric>``."""
        runner, model = self.runner, self.runner.model
        runner.call_hook(f'before_{self.mode}')
        runner.call_hook(f'before_{self.mode}_epoch')
        model.eval()
        metrics = {}
        for round in range(0 if self.all_rounds else model.rounds - 1, model.rounds):
            for name in model.order:
                label = name if round == model.rounds - 1 else f'r{round + 1}.{name}'
                metrics.update({f'{label}/{key}': value for key, value in self.run_task(name, round).items()})
        runner.call_hook(f'after_{self.mode}_epoch', metrics=metrics)
        runner.call_hook(f'after_{self.mode}')
        return metrics

    def run_task(self, name, round):
        self.dataloader = self.loaders[name]
        predict = self.runner.model.search_network(name, round)
        with DefaultScope.overwrite_default_scope(self.runner.model.tasks[name].scope):
            for index, batch in enumerate(self.dataloader):
                self.runner.call_hook(f'before_{self.mode}_iter', batch_idx=index, data_batch=batch)
                outputs = predict(batch)
                self.evaluators[name].process(data_samples=outputs, data_batch=batch)
                self.runner.call_hook(f'after_{self.mode}_iter', batch_idx=index, data_batch=batch, outputs=outputs)
            return self.evaluators[name].evaluate(len(self.dataloader.dataset))


@LOOPS.register_module()
class SearchValLoop(_EvaluationLoop):
    mode = 'val'


@LOOPS.register_module()
class SearchTestLoop(_EvaluationLoop):
    mode = 'test'
