"""The names of the metrics that an evaluator returns, before it has evaluated anything."""
from collections.abc import Iterable, Mapping
from typing import Any

from mmdet.evaluation import CocoMetric
from mmengine.evaluator import DumpResults, Evaluator
from mmpretrain.evaluation import Accuracy, SingleLabelMetric

COCO_ITEMS = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
PROPOSAL_ITEMS = ('AR@100', 'AR@300', 'AR@1000', 'AR_s@1000', 'AR_m@1000', 'AR_l@1000')


def metric_names(evaluator: Evaluator | Mapping[str, Evaluator]) -> set[str] | None:
    """The keys that ``evaluate`` returns, as ``coco/bbox_mAP``; None if one of the metrics is of an unknown class.

    Args:
        evaluator: of mmengine, or one per task; keys then begin with ``<task>/``.
    """
    if isinstance(evaluator, Mapping):
        by_task = {task: metric_names(of_task) for task, of_task in evaluator.items()}
        return {f'{task}/{name}' for task, names in by_task.items() for name in names or ()} if all(
            names is not None for names in by_task.values()) else None
    names = set()
    for metric in evaluator.metrics:
        own_names = _names_of(metric)
        if own_names is None:
            return None
        names |= {f'{metric.prefix}/{name}' if metric.prefix else name for name in own_names}
    return names


def _names_of(metric: Any) -> Iterable[str] | None:
    """The names of ``compute_metrics`` in mmdet's and mmpretrain's classes; None if a subclass replaces that method."""
    if isinstance(metric, DumpResults):
        return ()
    known = {CocoMetric: _of_coco, Accuracy: _of_accuracy, SingleLabelMetric: _of_single_label}
    for kind, names in known.items():
        if type(metric).compute_metrics is kind.compute_metrics:
            return names(metric)
    return None


def _of_coco(metric):
    if metric.format_only:
        return
    for kind in metric.metrics:
        if kind == 'proposal_fast':
            yield from (f'AR@{number}' for number in metric.proposal_nums)
        elif kind == 'proposal':
            yield from metric.metric_items or PROPOSAL_ITEMS
        else:
            yield from (f'{kind}_{item}' for item in metric.metric_items or COCO_ITEMS)
            if metric.classwise:
                yield from (f'{name}_precision' for name in metric.dataset_meta['classes'])


def _with_thresholds(names, thresholds):
    for name in names:
        for threshold in thresholds:
            suffix = '' if len(thresholds) == 1 else '_no-thr' if threshold is None else f'_thr-{threshold:.2f}'
            yield f'{name}{suffix}'


def _of_accuracy(metric):
    return _with_thresholds([f'top{k}' for k in metric.topk], metric.thrs)


def _of_single_label(metric):
    suffix = '_classwise' if metric.average is None else '_micro' if metric.average == 'micro' else ''
    return (name + suffix for name in _with_thresholds(metric.items, metric.thrs))
