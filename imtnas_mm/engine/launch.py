"""From command line to runner, for the tools that train and test."""
import difflib
import errno
import inspect
import os
import os.path as osp
import tempfile
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.hooks import LoggerHook
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from ..arguments import config_options
from ..checkpoint import latest_checkpoint
from ..datasets import check_dataset, check_evaluator
from ..datasets.workers import named_worker_deaths
from ..genotype import resolve_genotype
from ..tasks.joint import is_joint
from ..tasks.single_task import restrict_to_task
from .data_hook import DataHook
from .non_finite import FiniteHook
from .process_group import job_rank, start_group
from .runner import SearchRunner
from .termination import TerminationHook
from .version_hook import VersionHook
from .workers_hook import WorkersHook

# top-level fields that are no argument of mmengine's Runner
READ_FIELDS = ('activation_checkpointing', 'auto_scale_lr', 'compile', 'efficient_conv_bn_eval',
               'find_unused_parameters', 'model_wrapper_cfg', 'runner_type', 'sync_bn')


def is_search(cfg):
    return str(cfg.get('runner_type')).rpartition('.')[2] == SearchRunner.__name__


def load_config(args):
    """The config with the command line's changes, in mmdet's order of priority."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = Config.fromfile(args.config)
    if 'model' not in cfg:
        raise SystemExit(f'config: {args.config} has no model; it must be the config of a search or a retraining' + (
            ', and this is an experiment, which tools/compare.py runs' if 'evaluations' in cfg else ''))
    cfg.launcher = args.launcher
    options = config_options(args.cfg_options)
    if options is not None:
        check_options(options, cfg, args.config)
        cfg.merge_from_dict(options)
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
        several = ' (a search has several batch sizes and optimisers)' if is_search(cfg) else \
            ' (a joint training has several batch sizes)' if is_joint(cfg) else ''
        if several or 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise SystemExit(f'--auto-scale-lr: {args.config} has no auto_scale_lr.base_batch_size{several}')
        cfg.auto_scale_lr.enable = True
    resume = getattr(args, 'resume', None)
    if resume == 'auto':
        cfg.resume, cfg.load_from = True, None
    elif resume is not None:
        cfg.resume, cfg.load_from = True, resume
    return cfg


def check_options(options, cfg, config):
    """Leave if one of ``--cfg-options`` is of a field that neither the config has nor anything reads.

    Deeper fields are arguments of what is built, which refuses those it doesn't have.
    """
    known = {*cfg, *inspect.signature(Runner.__init__).parameters, *READ_FIELDS} - {'self', 'cfg'}
    for key in options:
        field = key.partition('.')[0]
        if field not in known:
            near = difflib.get_close_matches(field, sorted(known), 1)
            raise SystemExit(f'--cfg-options {key}: {config} has no {field}, and nothing would read it'
                             + (f'; is it {near[0]}?' if near else ''))


def restrict_single_task(cfg):
    """Of a search of several tasks by ``SingleTask``, leave that of ``train_cfg.order``."""
    if is_search(cfg) and cfg.model.get('type') == 'SingleTask':
        order = cfg.train_cfg.get('order') or ()
        if len(order) == 1 and order[0] in cfg.model.tasks:  # the search says what is wrong with others
            restrict_to_task(cfg, order[0])


def check_work_dir(path):
    """Make the folder, and leave if no file can be written to it."""
    try:
        os.makedirs(path, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(b'0')
    except OSError as error:
        raise SystemExit(f'--work-dir: {path} cannot be written to ({error.strerror}); checkpoints and logs need a '
                         'folder that can') from error


@contextmanager
def named_faults(work_dir):
    """Inside, an error of a dataloader's worker names the dataloader, and a full disk the work dir."""
    try:
        with named_worker_deaths():
            yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) or error.filename is not None:
            raise
        raise OSError(error.errno, f'{error.strerror}: a log or a picture could not be written, and the run stops; its '
                      'checkpoints are kept, and --resume goes on from the last one', work_dir) from error


def check_data(cfg, *parts):
    """Check the data of parts ('train', 'val', 'test') of a config of mmdet or mmpretrain; the loops of a search and of
    a joint training check their own.

    Returns:
        list[str]: what these datasets leave out of the data, for
        :func:`~imtnas_mm.datasets.log_dropped` once the run has its log.
    """
    dropped = []
    if is_search(cfg) or is_joint(cfg) or job_rank(cfg.launcher):  # one process is enough
        return dropped
    for part in parts:
        loader: Any = cfg.get(f'{part}_dataloader') or {}
        if 'dataset' in loader:  # the loops say where one is missing
            dropped += check_dataset(
                loader.dataset, cfg.get('default_scope', 'mmengine'), f'{part}_dataloader.dataset')
            check_evaluator(cfg.get(f'{part}_evaluator') or {}, f'{part}_evaluator')
    return dropped


def build_runner(cfg):
    """The config's runner; on a machine without a GPU its processes talk over gloo.

    With ``cfg.resume`` and no ``cfg.load_from`` it resumes from
    :func:`~imtnas_mm.checkpoint.latest_checkpoint`.
    """
    start_group(cfg)
    if cfg.launcher != 'none' and not torch.cuda.is_available() and not is_search(cfg):
        # what mmengine wraps with, but for its device_ids
        defaults = dict(broadcast_buffers=False, find_unused_parameters=cfg.get('find_unused_parameters', False))
        cfg.model_wrapper_cfg = {**defaults, **(cfg.get('model_wrapper_cfg') or {}), 'device_ids': None}
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    for hook in (DataHook, TerminationHook, VersionHook, WorkersHook):
        runner.register_hook(hook())
    if not is_search(cfg):  # a search's loop checks more
        runner.register_hook(FiniteHook())
    if get_rank():  # mmengine lets all processes write the metrics of a test at once, to one file
        for hook in runner.hooks:
            if isinstance(hook, LoggerHook):
                hook.after_test_epoch = lambda runner, metrics=None: None
    if cfg.get('resume') and not cfg.get('load_from'):
        runner._load_from = latest_checkpoint(runner.work_dir)
        if runner._load_from is None:
            runner._resume = False
            runner.logger.warning(f'--resume: no checkpoint in {runner.work_dir}; it starts anew')
    return runner
