"""Builds the runner of a config, with the hooks that every run gets."""
import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from ...checkpoint import latest_checkpoint
from ...compat import install
from ...compat.runner import is_resumed, leave_metrics_to_others, start_from
from ..hooks import (
    DataHook,
    EpochTimeHook,
    FiniteHook,
    GenotypeHook,
    LookupHook,
    TerminationHook,
    VersionHook,
    WorkersHook,
)
from ..runner import RetrainRunner
from .complete import complete
from .config import is_search
from .process_group import start_group


def build_runner(cfg: Config) -> Runner:
    """The config's runner; without a GPU its processes communicate over gloo.

    Fields that depend on the search space and the data are filled in first, see :func:`complete`.

    With ``cfg.resume`` and no ``cfg.load_from`` it resumes from
    :func:`~imtnas_mm.checkpoint.latest_checkpoint`.
    """
    install()
    start_group(cfg)
    complete(cfg)
    if cfg.launcher != 'none' and not torch.cuda.is_available() and not is_search(cfg):
        # mmengine's wrapper without its device_ids
        defaults = dict(broadcast_buffers=False, find_unused_parameters=cfg.get('find_unused_parameters', False))
        cfg.model_wrapper_cfg = {**defaults, **(cfg.get('model_wrapper_cfg') or {}), 'device_ids': None}
    lookups = lookup_hooks(cfg)
    registered = 'runner_type' in cfg
    # mmengine declares a dict, and takes a Config
    runner = RUNNERS.build(cfg) if registered else RetrainRunner.from_cfg(cfg)  # pyright: ignore[reportArgumentType]
    for hook in (DataHook, EpochTimeHook, TerminationHook, VersionHook, WorkersHook):
        runner.register_hook(hook())
    for hook in lookups:
        runner.register_hook(hook)
    if not is_search(cfg):  # the loop of a search checks more than FiniteHook, and its network has no architecture yet
        runner.register_hook(FiniteHook())
        runner.register_hook(GenotypeHook())
    if get_rank():
        leave_metrics_to_others(runner)
    if cfg.get('resume') and not cfg.get('load_from'):
        start_from(runner, latest_checkpoint(runner.work_dir))
        if not is_resumed(runner):
            runner.logger.warning(f'--resume: no checkpoint in {runner.work_dir}; the run starts anew')
    return runner


def lookup_hooks(cfg: Config) -> list[LookupHook]:
    """list[LookupHook]: that of the field ``table`` of a search's config, if it has one.

    Raises:
        ValueError: if the config is of no search, or has another field in ``table`` than the hook takes.
        TableError: if the table can't be read.
    """
    table = cfg.get('table')
    if table is None:
        return []
    if not is_search(cfg):
        raise ValueError(f'table={table!r}: only the architecture of a search is looked up')
    if isinstance(table, str):
        return [LookupHook(table)]
    known = ('table', 'metrics', 'interval')
    if not isinstance(table, dict) or 'table' not in table or set(table) - set(known):
        raise ValueError(f"table={table!r}: it must be a file, or dict(table='<file>', metrics=[...], interval=1)")
    return [LookupHook(**table)]
