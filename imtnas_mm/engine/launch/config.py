"""Loads the config of a run and applies the command line's changes."""
import argparse
import difflib
import inspect
import logging
import os
import os.path as osp
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from ...arguments import config_options
from ...config.single_task import restrict_to_task
from ...config.task_data import DATA_FIELDS, expand_task_data
from ...genotype import resolve_genotype
from ...tasks.joint_model import is_joint
from ..runner import SearchRunner
from .parts import scope_of

MOST = 3  # fields that a warning names
MPI_LOCAL_RANK = 'OMPI_COMM_WORLD_LOCAL_RANK'  # of Open MPI
# top-level fields that are read though they are no argument of mmengine's Runner
READ_FIELDS = (*DATA_FIELDS, 'activation_checkpointing', 'auto_scale_lr', 'compile', 'custom_imports',
               'efficient_conv_bn_eval', 'find_unused_parameters', 'model_wrapper_cfg', 'phases', 'runner_type',
               'sync_bn', 'table')


def is_search(cfg: Config | Mapping[str, Any]) -> bool:
    return str(cfg.get('runner_type')).rpartition('.')[2] == SearchRunner.__name__


def load_config(args: argparse.Namespace) -> Config:
    """The config with the command line's changes, in mmdet's order of priority."""
    # mmengine wraps the model for the GPU of LOCAL_RANK, and takes the GPU itself from MPI's own variable
    local_rank = os.environ.get(MPI_LOCAL_RANK) if args.launcher == 'mpi' else None
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank) if local_rank is None else local_rank)
    cfg = Config.fromfile(args.config)
    if 'model' not in cfg:
        raise SystemExit(f'config: {args.config} has no model; it must be the config of a search or a retraining' + (
            ', and this is an experiment, which tools/compare.py runs' if 'evaluations' in cfg else ''))
    cfg.launcher = args.launcher
    options = config_options(args.cfg_options)
    if options is not None:
        check_options(options, cfg, args.config)
    try:
        merge_options(cfg, options or {})
    except ValueError as error:
        raise SystemExit(f'config: {args.config}: {error}') from error
    if not (cfg.get('train_dataloader') or cfg.get('test_dataloader')) and (is_search(cfg) or 'data_task' in cfg):
        raise SystemExit(f'config: {args.config}: task_data is missing; it describes the data of each task '
                         '(docs/your_own_data.md)')
    restrict_single_task(cfg)
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = osp.join('./work_dirs', osp.splitext(osp.basename(args.config))[0])
    if getattr(args, 'architecture', None):
        if is_search(cfg) or 'architecture' not in cfg.model.get('backbone', {}):
            raise SystemExit(f'--architecture {args.architecture}: {args.config} has no model.backbone.architecture '
                             'to set; it is for the configs in configs/retrain/')
        resolve_genotype(args.architecture)  # refused before any data are read
        cfg.model.backbone.architecture = args.architecture
    if getattr(args, 'amp', False):
        if is_search(cfg):
            cfg.model.amp = True
        else:
            cfg.optim_wrapper.type = 'AmpOptimWrapper'
            cfg.optim_wrapper.loss_scale = 'dynamic'
    if getattr(args, 'auto_scale_lr', False):
        several = 'a search has several batch sizes and optimisers' if is_search(cfg) else \
            'a joint training has several batch sizes' if is_joint(cfg) else ''
        if several:
            raise SystemExit(f'--auto-scale-lr: {args.config}: {several}; set batch_size of its dataloaders, or lr of '
                             'its optimisers')
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise SystemExit(f'--auto-scale-lr: {args.config} has no auto_scale_lr.base_batch_size')
        cfg.auto_scale_lr.enable = True
    resume = getattr(args, 'resume', None)
    if resume == 'auto':
        cfg.resume, cfg.load_from = True, None
    elif resume is not None:
        cfg.resume, cfg.load_from = True, resume
    return cfg


def merge_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Merge options into a config, by dots or nested, and put dataloaders in the place of its ``task_data``.

    Options of ``task_data`` come first, so that all others find the dataloaders that it makes.

    Raises:
        ValueError: ``task_data`` has a wrong entry.
    """
    first = {key: value for key, value in options.items() if key.partition('.')[0] in DATA_FIELDS}
    cfg.merge_from_dict(first)
    entries, several = cfg.get('task_data'), is_search(cfg) or is_joint(cfg)
    if entries is not None:
        tasks = list(cfg.model.tasks) if several else ['']
        expand_task_data(cfg, {task: scope_of(cfg, task) for task in tasks}, is_search(cfg))
    cfg.merge_from_dict({key: value for key, value in options.items() if key not in first})
    if entries is not None and several:
        trained = cfg.train_cfg.order if cfg.model.get('type') == 'SingleTask' else cfg.model.tasks
        for task in trained:
            if task not in cfg.train_dataloader:
                raise ValueError(f'task_data.{task} is missing: the tasks are {list(trained)}, and each needs its data')


def check_options(options: Iterable[str], cfg: Config, config: str) -> None:
    """Exit if one of ``--cfg-options`` sets a field that :func:`unread_field` finds; warn by :func:`warn_of_names`."""
    for key in options:
        fault = unread_field(key, cfg)
        if fault:
            raise SystemExit(f'--cfg-options {key}: {config} {fault}')
    warn_of_names(options, cfg, config, '--cfg-options ')


def unread_field(key: str, cfg: Config) -> str | None:
    """The fault of an option whose top-level field is neither in the config nor read by anything, or None.

    Deeper fields are arguments of classes, which refuse unknown ones.
    """
    known, field = _read_fields(), key.partition('.')[0]
    if field in known or field in cfg:
        return None
    near = difflib.get_close_matches(field, sorted({*known, *cfg}), 1)
    return f'has no {field}, and nothing would read it' + (f'; is it {near[0]}?' if near else '')


def warn_of_names(options: Iterable[str], cfg: Config, config: str, prefix: str = '') -> None:
    """Log a warning for each option whose top-level field is a name that only the config's own text uses.

    The text has been read by then, so such an option changes no field that was made of the name. It isn't refused,
    since a hook of the user's own may read the name.
    """
    for key in options:
        field, _, rest = key.partition('.')
        if field in cfg and field not in _read_fields():
            last = rest.rpartition('.')[2] or field
            paths = [path for path in _paths(cfg.to_dict(), last) if path.partition('.')[0] in _read_fields()]
            named = ', '.join(paths[:MOST]) + (' and others' if len(paths) > MOST else '')
            print_log(f'{prefix}{key}: {field} is a name in the text of {config}, whose fields are made by now: the '
                      f'option changes none of them. Set the fields themselves{f": {named}" if named else ""}.',
                      'current', logging.WARNING)


def _read_fields() -> set[str]:
    return {*inspect.signature(Runner.__init__).parameters, *READ_FIELDS} - {'self', 'cfg'}


def _paths(part: Mapping[str, Any], name: str) -> Iterator[str]:
    for key, value in part.items():
        if key == name:
            yield key
        if isinstance(value, dict):
            yield from (f'{key}.{path}' for path in _paths(value, name))


def restrict_single_task(cfg: Config) -> None:
    """If ``model.type`` is ``SingleTask``, keep only the task that ``train_cfg.order`` names."""
    if is_search(cfg) and cfg.model.get('type') == 'SingleTask':
        order = cfg.train_cfg.get('order') or ()
        if len(order) == 1 and order[0] in cfg.model.tasks:  # the search itself refuses other orders
            restrict_to_task(cfg, order[0])
