"""Turns the config of a search over several tasks into the search of one task."""
from mmengine.config import Config

DATA_FIELDS = ('train_dataloader', 'val_dataloader', 'val_evaluator', 'test_dataloader', 'test_evaluator')


def restrict_to_task(cfg: Config, task: str) -> None:
    """Remove all other tasks from a resolved search config, in place, and make its method ``SingleTask``.

    Raises:
        ValueError: if the search has no such task.
    """
    names = tuple(cfg.model.tasks)
    if task not in names:
        raise ValueError(f'single_task: {task!r} is no task of the search; it has {", ".join(names)}')
    cfg.train_cfg.order = (task, )
    cfg.model.type = 'SingleTask'
    phases = [phase.config.model for phase in cfg.get('phases', []) if 'tasks' in phase.config.get('model', {})]
    splits = (cfg.train_cfg.get('split') or {}).get('tasks')
    totals = cfg.get('auto_scale_lr', {}).get('base_batch_size')
    of_data = [cfg[field] for field in DATA_FIELDS if cfg.get(field)]
    of_tasks = [splits, totals if isinstance(totals, dict) else None]
    for tasks in [*of_data, *(model.tasks for model in (cfg.model, *phases)), *filter(None, of_tasks)]:
        for name in names:
            if name != task:
                tasks.pop(name, None)
