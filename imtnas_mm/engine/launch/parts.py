"""The parts of a config by task: dataloaders, evaluators, and the library in which their names are looked up."""
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from ...registry import MODELS
from ...tasks.joint_model import is_joint, task_scope


def loaders_of(cfg: Config, part: str, several: bool) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(task, field of the dataset, config of the dataloader), one per task; a single task has the name ''."""
    loaders = cfg.get(f'{part}_dataloader') or {}
    for task, loader in (loaders.items() if several else [('', loaders)]):
        if loader:
            yield task, '.'.join(filter(None, (f'{part}_dataloader', task, 'dataset'))), loader


def evaluators_of(cfg: Config, part: str, several: bool) -> Iterator[tuple[str, Any]]:
    """(field, config of the evaluator)."""
    evaluators = cfg.get(f'{part}_evaluator') or {}
    for task, evaluator in (evaluators.items() if several else [('', evaluators)]):
        if evaluator:
            yield '.'.join(filter(None, (f'{part}_evaluator', task))), evaluator


def scope_of(cfg: Config, task: str) -> str | None:
    """The library of a task."""
    if not task:
        return cfg.get('default_scope', 'mmengine')
    if task not in cfg.model.tasks:
        raise ValueError(f'model.tasks has {sorted(cfg.model.tasks)}, and no {task}')
    options = cfg.model.tasks[task]
    return task_scope(task, options) if is_joint(cfg) else getattr(MODELS.get(options.type), 'scope', None)
