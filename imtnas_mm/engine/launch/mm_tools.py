"""Finds the file of a tool of mmdet or mmpretrain, and makes a config that the tool can read, for tools/mm.py."""
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from mmengine.config import Config

from ...config.of_one_task import data_of_task, schedule_of
from ...datasets import build_dataset, splits_of
from ...tasks.joint_model import is_joint
from .complete import complete, complete_classes
from .config import is_search, merge_options
from .parts import loaders_of, scope_of

NEEDS_MODEL = ('get_flops', )


def library_of(cfg: Config, task: str | None) -> str:
    """``'mmdet'`` or ``'mmpretrain'``.

    Raises:
        ValueError: it is neither; or the config is for several tasks, and none is named, or another.
    """
    several = is_search(cfg) or is_joint(cfg)
    if several and task not in cfg.model.tasks:
        raise ValueError(f'--of: {task!r}; {cfg.filename} has the tasks {", ".join(cfg.model.tasks)}')
    if task is not None and not several:
        raise ValueError(f'--of: {task!r}; {cfg.filename} has one task')
    scope = scope_of(cfg, task or '')
    if scope not in ('mmdet', 'mmpretrain'):
        raise ValueError(f'default_scope: {scope!r}; the tools are those of mmdet and mmpretrain')
    return scope


def tool_file(files: Mapping[str, str], config: str, task: str | None) -> str:
    """The installed file of a tool.

    Args:
        files (dict): library -> file below its ``.mim/tools``.
        config (str): file.
        task (str, optional): of a config with several.
    """
    library = next(iter(files)) if len(files) == 1 else None
    if library is None:
        cfg = Config.fromfile(config)
        # print_config needs no task
        library = library_of(cfg, task) if task or not (is_search(cfg) or is_joint(cfg)) else next(iter(files))
    spec = find_spec(library)
    places = list(spec.submodule_search_locations or ()) if spec else []
    for place in places:
        path = Path(place) / '.mim' / 'tools' / files[library]
        if path.is_file():
            return str(path)
    raise ValueError(f'{library} is installed without its tools (.mim/tools/{files[library]})')


def config_for(tool: str, config: str, task: str | None, optimizer: str | None) -> tuple[Config | None, list[str]]:
    """(config for the tool, or None for the file itself; arguments for the tool).

    Raises:
        ValueError: the tool has nothing to work on in this config, or an argument is missing or wrong.
        DataError: the training set, whose length vis_scheduler needs, can't be used.
    """
    cfg = Config.fromfile(config)
    as_written = cfg.to_dict()
    merge_options(cfg, {})
    several = is_search(cfg) or is_joint(cfg)
    if tool == 'vis_scheduler':
        complete_classes(cfg, 'train')
        return schedule_of(cfg, optimizer), ['-d', str(epoch_length(cfg))]
    if optimizer is not None:
        raise ValueError(f'--optimizer: {optimizer!r}; it is for vis_scheduler')
    if several and tool != 'print_config':
        complete_classes(cfg, 'train')
    elif tool != 'print_config':
        complete(cfg)
    if not several or tool == 'print_config' and task is None:
        return (None if cfg.to_dict() == as_written else cfg), []
    scope = library_of(cfg, task)
    if tool in NEEDS_MODEL:
        raise ValueError(f'{config} has no model of one task; ' + (
            'tools/derive.py prints the parameters and MACs of a search' if is_search(cfg) else
            'tools/export.py --task exports one, with its config'))
    return data_of_task(cfg, str(task), scope), []


def epoch_length(cfg: Config) -> int:
    """Iterations of an epoch by one process."""
    length = cfg.train_cfg.get('epoch_length')
    if length:
        return length
    several = is_search(cfg) or is_joint(cfg)
    loaders = {task: (field, loader) for task, field, loader in loaders_of(cfg, 'train', several)}
    first = (cfg.train_cfg.order if is_search(cfg) else cfg.model.tasks) if several else ['']
    task = next(iter(first))
    field, loader = loaders[task]
    examples = len(build_dataset(loader['dataset'], scope_of(cfg, task), field))
    if is_search(cfg):
        splits = splits_of(cfg.train_cfg.get('split'), tuple(cfg.train_cfg.order), 'train_cfg.split')
        examples = len(splits[task].indices(examples)[0])
    batch = loader.get('batch_size', 1)
    drop = several or loader.get('drop_last', False)
    return max(examples // batch if drop else -(-examples // batch), 1)
