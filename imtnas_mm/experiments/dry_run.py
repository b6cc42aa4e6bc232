"""Builds what the runs of a comparison need, for its dry run: faults show within seconds, not after hours."""
import copy
import json
from collections.abc import Iterable
from typing import Any

from mmengine.config import Config

from ..engine.launch.dry_run import DryRun, dry_run
from .checks import first_of, metric_refusals
from .declaration import SEARCH, SEARCH_TEST, Experiment
from .run import Run, with_architecture


def dry_runs(experiment: Experiment, runs: Iterable[Run]) -> tuple[list[str], list[str]]:
    """Build the trainings of runs, and compare the columns with the metrics of the tests.

    Configs that differ in the seed alone are built once. A retraining of a
    search gets the architecture that the search's A stands for at its start.

    Args:
        experiment (Experiment): with the columns.
        runs (list[Run]): to be done.

    Returns:
        (list[str], list[str]): one text per different training; and the faults that would end a run, one text per
        fault.
    """
    builds, rows_of, trainings = _Builds(), {}, {}
    metrics: dict[str, list[set[str] | None]] = {}  # evaluation -> names of metrics, per run
    for run in runs:
        architecture = None if run.architecture is None else run.architecture.to_dict()
        for name in run.tables:  # their columns are checked with the table
            metrics.setdefault(name, []).append(None)
        for name, cfg in run.trainings().items():
            cfg = with_architecture(cfg, None if name == SEARCH else architecture)
            if name in run.initial:  # a checkpoint that another evaluation writes
                cfg = copy.deepcopy(cfg)
                cfg.model.backbone.init_cfg = None
            done = builds.build(cfg, test=name != SEARCH or run.search_test)
            if isinstance(done, str):
                rows_of.setdefault(f'{name}: {done}', []).append(run.name)
                if name == SEARCH:
                    break  # no architecture for the rest
                continue
            trainings.setdefault(f'{name}: {done.lines[0]}', []).append(run.name)
            architecture = architecture if done.genotype is None else done.genotype.to_dict()
            for evaluation, names in _metrics(run, name, done).items():
                metrics.setdefault(evaluation, []).append(names)
    lines, faults = ([f'{first_of(names)}: {text}' for text, names in texts.items()] for texts in (trainings, rows_of))
    return lines, faults + metric_refusals(experiment.name, experiment, metrics)


def _metrics(run: Run, name: str, done: DryRun) -> dict[str, set[str] | None]:
    """The metrics that columns may show, by evaluation."""
    if name == SEARCH:
        return {SEARCH: done.validated, **({SEARCH_TEST: done.tested} if run.search_test else {})}
    if name not in run.tasks:
        return {name: done.tested}
    return {filled: None if done.tested is None else {
        key.removeprefix(f'{task}/') for key in done.tested if key.startswith(f'{task}/')}
        for task, filled in run.tasks[name].items()}


class _Builds:
    """Dry runs of configs, each done once: seeds make no difference."""

    def __init__(self) -> None:
        self.done: dict[str, DryRun | str] = {}

    def build(self, cfg: Config, test: bool) -> DryRun | str:
        """The dry run of the config, or the error."""
        cfg = copy.deepcopy(cfg)
        cfg.launcher = 'none'
        options: dict[str, Any] = cfg.to_dict()
        options.pop('randomness', None)
        key = json.dumps([options, test], sort_keys=True, default=repr)
        if key not in self.done:
            try:
                self.done[key] = dry_run(cfg, test)
            except Exception as error:  # whatever the run would raise
                self.done[key] = f'{type(error).__name__}: {error}'
        return self.done[key]
