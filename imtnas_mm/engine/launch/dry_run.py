"""Builds everything that a run needs and runs nothing: for --dry-run of tools/train.py and tools/compare.py."""
import copy
import itertools
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from mmengine.hooks import CheckpointHook, EarlyStoppingHook
from mmengine.registry import VISBACKENDS
from mmengine.runner import Runner

from ...compat.datasets import without_notes_on_indices
from ...compat.runner import built_loops
from ...genotype import Genotype
from ..metric_names import metric_names
from ..start_lines import start_lines
from .build import build_runner
from .checks import check_data
from .config import is_search
from .phases import as_lists, check_phases, check_space, phase_config

_numbers = itertools.count()


@dataclass(frozen=True)
class DryRun:
    """The result of a dry run.

    Args:
        lines (list[str]): as the run would log at its start.
        validated, tested (set[str] | None): the names of the metrics; None if they can't be known, or there are none.
        genotype (Genotype | None): of a search, the one that its A stands for at the start.
    """
    lines: list[str]
    validated: set[str] | None
    tested: set[str] | None
    genotype: Genotype | None = None


def dry_run(cfg: Config, test: bool = False) -> DryRun:
    """Build model, data, metrics, optimisers, schedules and hooks of a config, and drop them.

    Nothing is written to the work dir. Data files are checked as the run does.

    Args:
        cfg (Config): as :func:`~imtnas_mm.engine.launch.load_config` returns it.
        test (bool): whether the data and metrics of the test are built, too.

    Raises:
        Exception: that of the run; a metric that a hook waits for is a ValueError.
    """
    check_weights(cfg.get('load_from'), 'load_from')
    check_pretrained(cfg.model, 'model')
    if not cfg.get('phases'):
        return _dry_run(cfg, test)
    check_phases(cfg)
    records, lines, done = [], [], None
    for number, phase in enumerate(cfg.phases, 1):
        with built_runner(phase_config(cfg, phase, f'phase{number}', records), test) as runner:
            model: Any = runner.model
            check_space(model)
            done = _of(runner)
            alphas = {name: alpha.detach().cpu() for name, alpha in model.architecture.named_alphas().items()}
            if phase['keep']:
                records.append(dict(kept=as_lists(model.space.next_candidates(alphas, phase['keep']))))
        lines += [f'phase {number}: {line}' for line in done.lines]
    assert done is not None  # check_phases: there is one phase or more
    return DryRun(lines, done.validated, done.tested, done.genotype)


def check_weights(path: object, field: str) -> None:
    """Raises ValueError if a field names a file of weights that doesn't exist; URLs and model zoos pass."""
    if isinstance(path, str) and path and '://' not in path and not os.path.isfile(path):
        raise ValueError(f'{field}={path!r}: is not a file; it must be a checkpoint')


def check_pretrained(value: object, field: str) -> None:
    """:func:`check_weights` of every ``init_cfg`` of the type Pretrained in a model's config, which training loads."""
    if isinstance(value, Mapping):
        if str(value.get('type')).rpartition('.')[2] == 'Pretrained':
            check_weights(value.get('checkpoint'), f'{field}.checkpoint')
        for name, item in value.items():
            check_pretrained(item, f'{field}.{name}')
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            check_pretrained(item, f'{field}[{i}]')


def _dry_run(cfg, test):
    with built_runner(cfg, test) as runner:
        return _of(runner)


@contextmanager
def built_runner(cfg: Config, test: bool = False) -> Iterator[Runner]:
    """The runner of a config with its loops, optimisers and schedules, as mmengine's ``Runner.train`` builds them.

    Lines that pycocotools prints about annotation files are dropped: a dry run of a comparison would have hundreds.
    """
    cfg = copy.deepcopy(cfg)
    name = f'dry_run_{next(_numbers)}'  # mmengine keeps loggers and visualizers by name
    with tempfile.TemporaryDirectory() as folder, without_notes_on_indices():
        cfg.work_dir, cfg.experiment_name, cfg.log_level = folder, name, 'WARNING'
        cfg.resume, cfg.load_from = False, None
        if cfg.get('visualizer'):
            cfg.visualizer.name = name
            check_backends(cfg)
        check_data(cfg, 'train', 'val', *(['test'] if test else []))
        runner = build_runner(cfg)
        try:
            _ = runner.train_loop  # each of these properties builds its loop
            optimiser: Any = runner.optim_wrapper
            runner.optim_wrapper = runner.build_optim_wrapper(optimiser)
            runner.scale_lr(runner.optim_wrapper, runner.auto_scale_lr)
            if runner.param_schedulers is not None:
                runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
            if cfg.get('val_dataloader'):
                _ = runner.val_loop
            if test:
                _ = runner.test_loop
            check_monitored(runner)
            yield runner
        finally:
            for handler in list(runner.logger.handlers):
                if isinstance(handler, logging.FileHandler):  # its folder goes, and the logger may stay the current one
                    handler.close()
                    runner.logger.removeHandler(handler)


def check_backends(cfg: Config) -> None:
    """Raises ValueError for an unknown backend of the visualizer, and takes the backends away: some write from threads
    of their own."""
    backends = cfg.visualizer.pop('vis_backends', None) or []
    scope = cfg.get('default_scope', 'mmengine')
    for i, backend in enumerate(backends if isinstance(backends, (list, tuple)) else [backends]):
        with VISBACKENDS.switch_scope_and_registry(scope) as registry:
            if isinstance(backend, dict) and registry.get(str(backend.get('type'))) is None:
                raise ValueError(f'visualizer.vis_backends[{i}].type={backend.get("type")!r}: there is no such backend')


def _of(runner):
    test_loop: Any = built_loops(runner).get('test')
    tested = None if test_loop is None else metric_names(test_loop.evaluator)
    return DryRun(start_lines(runner), validated_names(runner), tested,
                  runner.model.derive() if is_search(runner.cfg) else None)


def validated_names(runner: Runner) -> set[str] | None:
    """The names of the metrics of a runner's validation; None without one, or if they can't be known."""
    loop: Any = built_loops(runner).get('val')
    if loop is None:
        return None
    names = metric_names(loop.evaluator)
    if names is not None and getattr(loop, 'all_rounds', False):
        rounds: Any = runner.model
        names |= {f'r{m}.{name}' for m in range(1, rounds.rounds) for name in names}
    return names


def check_monitored(runner: Runner) -> None:
    """Raises ValueError if a hook waits for a metric that the validation doesn't have."""
    names = validated_names(runner)
    if names is None:
        return
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook) and hook.save_best:
            field, wanted = 'default_hooks.checkpoint.save_best', hook.save_best
        elif isinstance(hook, EarlyStoppingHook):
            field, wanted = 'EarlyStoppingHook.monitor', [hook.monitor]
        else:
            continue
        for name in wanted:
            if name != 'auto' and name not in names:
                raise ValueError(f'{field}={name!r}: the validation has no such metric; it has '
                                 f'{", ".join(sorted(names))}')
