"""Checks rehearsed experiments: columns have their metrics, and retrainings take the architecture of their search."""
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from ...genotype import resolve_genotype, save_genotype
from ..checks import metric_refusals
from ..declaration import SEARCH, SEARCH_TEST, Experiment
from ..execute import complexity, joint_complexity, metrics_of
from ..report import of_round
from ..run import Run

Results = Mapping[str, dict[str, Any]]  # key of a training -> result of its rehearsal


def missing_metrics(experiment: Experiment, runs: Sequence[Run], keys: Mapping[str, Mapping[str, str]],
                    results: Results) -> list[str]:
    """Columns without their metric in a row's rehearsed tests, one text per row each; also a limit of degenerate runs.

    Args:
        experiment (Experiment): with the columns.
        runs (list[Run]): of the experiment.
        keys (dict): of :func:`different_trainings`.
        results (dict): of the trainings.
    """
    rows: dict[str, dict[str, list[Set[str]]]] = {}
    for run in runs:
        for name, metrics in _tested(run, keys[run.identity], results):
            rows.setdefault(run.row, {}).setdefault(name, []).append(metrics.keys())
    return [text for row, tested in rows.items() for text in metric_refusals(f'{experiment.name}: {row}', experiment,
                                                                             tested)]


def _tested(run: Run, keys: Mapping[str, str], results: Results) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name of an evaluation as columns have it, its metrics) of all measured trainings of a run."""
    for name, key in keys.items():
        metrics = results[key].get('metrics')
        if metrics is None:
            continue
        if name == SEARCH:
            yield SEARCH, of_round(metrics['val'], run)
            if run.search_test:
                yield SEARCH_TEST, of_round(metrics['test'], run)
        elif name in run.tasks:
            for task, filled in run.tasks[name].items():
                yield filled, metrics_of(task, metrics['test'])
        else:
            yield name, metrics['test']


def misfits(runs: Sequence[Run], keys: Mapping[str, Mapping[str, str]], results: Results, folder: Path) -> list[str]:
    """Retrainings whose backbone can't be built from the architecture of their rehearsed search, one text per fault.

    It also counts parameters and MACs, as the run does.

    Args:
        runs (list[Run]): of all experiments.
        keys, results: as of :func:`missing_metrics`.
        folder (Path): for architecture files.
    """
    texts, done = [], set()
    for run in runs:
        key = keys[run.identity].get(SEARCH)
        architecture = None if key is None else results[key].get('architecture')
        if key is None or architecture is None:
            continue
        file = folder / f'{key}.json'
        save_genotype(resolve_genotype(architecture), file)
        for name, cfg in run.evaluations.items():
            pair = key, keys[run.identity][name]
            if pair in done:
                continue
            done.add(pair)
            count: Any = joint_complexity if name in run.tasks else complexity
            try:
                count(cfg, run.shapes[name], str(file))
            except Exception as error:  # a wrong field can raise anything
                texts.append(f'{run.row}: {name}: with what its search derives: {type(error).__name__}: {error}')
    return texts
