"""Fills in the fields of a config that depend on its search space and its data, before anything is built."""
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from ...config.channels import backbone_channels, fill_channels
from ...config.class_numbers import fill_classes
from ...config.task_data import PARTS
from ...genotype import GenotypeError, resolve_genotype
from ...registry import SCOPE, scoped
from ...space_format import format_of
from ...tasks.joint_model import is_joint
from .config import is_search
from .parts import loaders_of, scope_of


def complete(cfg: Config, part: str = 'train') -> None:
    """Fill in class names, ``num_classes`` and ``in_channels`` where a config has none, in place; check channels.

    Args:
        cfg (Config): of a search, a joint training or a retraining.
        part (str): the part of the data from which classes are taken, ``'train'`` or ``'test'``.

    Raises:
        DataError: the data can't be used, or have no class names.
        ValueError: the config has channels that its backbone doesn't give; it names the field and the right value.
    """
    complete_classes(cfg, part)
    for place, model, backbone, scope in models_of(cfg):
        channels = backbone_channels(backbone, scope)
        if channels is not None:
            fill_channels(model, channels, scope, place)


def complete_classes(cfg: Config, part: str, only: str | None = None) -> None:
    """Fill in the class names and ``num_classes`` of each task (or of the task ``only``), see :func:`fill_classes`."""
    several = is_search(cfg) or is_joint(cfg)
    for task, field, loader in loaders_of(cfg, part, several):
        if 'dataset' not in loader or only not in (None, task) or several and task not in cfg.model.tasks:
            continue  # the run says what is wrong with it
        datasets = {field: loader['dataset']}
        for other in PARTS:
            datasets.update({place: its['dataset'] for name, place, its in loaders_of(cfg, other, several)
                             if name == task and 'dataset' in its})
        models = {f'model.tasks.{task}.model': cfg.model.tasks[task].get('model')} if several else {
            'model': cfg.model, 'data_preprocessor': cfg.get('data_preprocessor')}
        fill_classes(models, datasets, scope_of(cfg, task))


def models_of(cfg: Config) -> Iterator[tuple[str, Any, dict[str, Any], str | None]]:
    """(place, config of the model, config of its backbone, its library), once per task."""
    model = cfg.model
    if is_search(cfg):
        for task, options in model.get('tasks', {}).items():
            if 'model' in options and 'type' in model.get('search_space', {}):
                space = scoped(dict(model.search_space, **(options.get('backbone') or {})))
                yield f'model.tasks.{task}.model', options.model, space, scope_of(cfg, task)
    elif is_joint(cfg):
        shared = dict(model.get('backbone') or {})
        try:
            network = format_of(resolve_genotype(shared['architecture']).space).network
        except (GenotypeError, KeyError):  # the model says what is wrong with it
            return
        for task, options in model.tasks.items():
            yield (f'model.tasks.{task}.model', options.model,
                   dict(shared, **(options.get('backbone') or {}), type=network), scope_of(cfg, task))
    elif model.get('backbone'):
        yield 'model', model, model.backbone, cfg.get('default_scope', SCOPE)
