"""The config of one task of a search or a joint training, as the tools of mmdet and mmpretrain read it."""
import copy
from typing import Any

from mmengine.config import Config, ConfigDict

from ..datasets import is_validation_part
from .task_data import PARTS

VISUALIZERS = dict(mmdet='DetLocalVisualizer', mmpretrain='UniversalVisualizer')


def data_of_task(cfg: Config, task: str, scope: str) -> Config:
    """Data, metrics and visualizer of one task, without model and training.

    D^val of a search is a part of its training set: the test data take its place.

    Args:
        cfg (Config): of a search or a joint training.
        task (str): its name.
        scope (str): the library of the task, ``'mmdet'`` or ``'mmpretrain'``.

    Raises:
        ValueError: a part of the data has no such task.
    """
    fields: dict[str, Any] = dict(default_scope=scope, custom_imports=cfg.get('custom_imports'))
    for part in PARTS:
        for name in (f'{part}_dataloader', f'{part}_evaluator'):
            if cfg.get(name):
                if task not in cfg[name]:
                    raise ValueError(f'{name} has {sorted(cfg[name])}, and no {task!r}')
                fields[name] = copy.deepcopy(cfg[name][task])
    if 'val_dataloader' in fields and is_validation_part(fields['val_dataloader']['dataset']):
        for kind in ('dataloader', 'evaluator'):
            fields[f'val_{kind}'] = copy.deepcopy(fields.get(f'test_{kind}'))
    fields['visualizer'] = dict(type=VISUALIZERS[scope], vis_backends=[dict(type='LocalVisBackend')], name='visualizer')
    return Config(ConfigDict({key: value for key, value in fields.items() if value is not None}), filename=cfg.filename)


def schedule_of(cfg: Config, optimizer: str | None) -> Config:
    """The optimiser and schedules of a training by epochs, for mmpretrain's ``vis_scheduler``.

    Args:
        cfg (Config): of any of our trainings.
        optimizer (str, optional): of a search, ``'encoder'``, ``'head'`` or ``'architecture'``.

    Raises:
        ValueError: a search's optimiser is not named, or has no schedule.
    """
    wrapper, schedulers = cfg.optim_wrapper, cfg.get('param_scheduler') or []
    if 'optimizer' not in wrapper:  # a search
        names = [name for name, part in wrapper.items() if isinstance(part, dict)]
        if optimizer not in names:
            raise ValueError(f'--optimizer: {optimizer!r}; a search has {", ".join(names)}')
        wrapper = wrapper[optimizer]
        schedulers = schedulers.get(optimizer) if isinstance(schedulers, dict) else None
    if not schedulers:
        raise ValueError(f'param_scheduler: {optimizer or "the training"} has none; the rate is constant')
    wrapper = copy.deepcopy(wrapper)
    wrapper.pop('accumulative_counts', None)
    return Config(ConfigDict(
        default_scope=cfg.get('default_scope'), custom_imports=cfg.get('custom_imports'), log_level='WARNING',
        default_hooks=dict(param_scheduler=dict(type='ParamSchedulerHook')),
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=cfg.train_cfg.max_epochs), train_dataloader=dict(
            batch_size=1), optim_wrapper=wrapper, param_scheduler=copy.deepcopy(schedulers)), filename=cfg.filename)
