"""Checks that refuse a comparison before it starts.

Too few GPUs, another total batch than a config declares, a table that can't be read, or a metric that no test has.
"""
from collections.abc import Iterable, Mapping, Sequence, Set

from mmengine.config import Config

from ..engine.launch.total_batch import declared_batches, other_batches
from ..tables.accuracy import TableError, read_table
from .declaration import Experiment
from .report import SIZES
from .run import Run


def refusals(runs: Iterable[Run], gpus_per_run: int | None = None, available: int | None = None) -> list[str]:
    """Faults in the trainings of runs, one text per fault.

    Args:
        runs (list[Run]): to be done.
        gpus_per_run (int | None): ``--gpus-per-run``.
        available (int | None): number of GPUs; None: as many as needed (on
            CPUs, and on a cluster).
    """
    rows_of = {}
    for run in runs:
        for name, cfg in run.trainings().items():
            count = run.processes(name, gpus_per_run)
            try:
                texts = _texts(name, cfg, count, available)
            except ValueError as error:
                texts = [f'{name}: {error}']
            for text in texts:
                rows_of.setdefault(text, []).append(run.name)
    return [first_of(names) + f': {text}' for text, names in rows_of.items()]


def table_refusals(runs: Iterable[Run]) -> list[str]:
    """The faults of the tables of runs, one text per different fault."""
    names_of: dict[tuple[str, str, tuple[str, ...] | None], list[str]] = {}  # field, file, metrics -> names
    for run in runs:
        for name, options in run.tables.items():
            metrics = None if options['metrics'] is None else tuple(options['metrics'])
            names_of.setdefault((f'evaluations.{name}.table', options['table'], metrics), []).append(run.name)
        if run.sampler is not None:
            names_of.setdefault(('sampler', run.sampler['table'], (run.sampler['metric'], )), []).append(run.name)
    texts = []
    for (field, file, metrics), names in names_of.items():
        try:
            read_table(file, metrics)
        except TableError as error:
            texts.append(f'{first_of(names)}: {field}: {error}')
    return texts


def metric_refusals(whose: str, experiment: Experiment, metrics: Mapping[str, Sequence[Set[str] | None]]) -> list[str]:
    """The columns, and the limit of degenerate runs, whose metric no run of their evaluation has.

    Args:
        whose (str): the runs, as in the texts.
        experiment (Experiment): with the columns.
        metrics (dict): evaluation -> names of metrics, per run; ``None`` where they are unknown. Evaluations that it
            lacks are not checked.
    """
    places = [(f'columns[{i}].metric', column) for i, column in enumerate(experiment.columns)]
    if experiment.degenerate is not None:
        places.append(('degenerate.metric', experiment.degenerate))
    faults = []
    for place, column in places:
        known = metrics.get(column.get('evaluation', ''), [None])
        names = set().union(*(names for names in known if names is not None))
        if None not in known and column['metric'] not in (*SIZES, *names):
            faults.append(f'{whose}: {place}: {column["metric"]!r}; the evaluation {column["evaluation"]} has '
                          f'{", ".join(sorted(names)) or "no metric"}')
    return faults


def unchecked(runs: Iterable[Run], gpus_per_run: int | None = None) -> list[str]:
    """Trainings by several processes whose configs declare no total batch, one text per training."""
    rows_of = {}
    for run in runs:
        for name, cfg in run.trainings().items():
            count = run.processes(name, gpus_per_run)
            for field, (loader, _, total) in declared_batches(cfg).items():
                if count > 1 and total is None and not cfg.get('auto_scale_lr', {}).get('enable'):
                    text = (f'{name}: {field}: {count} processes of {loader.get("batch_size", 1)} examples; the config '
                            'declares no auto_scale_lr.base_batch_size to compare them with')
                    rows_of.setdefault(text, []).append(run.name)
    return [first_of(names) + f': {text}' for text, names in rows_of.items()]


def first_of(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f'{names[0]} (and {len(names) - 1} more)'


def _texts(name: str, cfg: Config, count: int, available: int | None) -> list[str]:
    where = "the row's options" if name == 'search' else f'evaluations.{name}.options'
    if available is not None and count > available:
        text = f'{name}: it has {count} GPUs, and there are {available}'
        sizes = [(batch, batch.right_batch_size) for batch in other_batches(cfg, available)]
        if sizes and all(size for _, size in sizes):
            text += (f'. With --gpus-per-run {available}, set '
                     + ', '.join(f'{batch.field}={size}' for batch, size in sizes) + f' in {where}')
        return [text]
    texts = []
    for batch in other_batches(cfg, count):
        ways = [f'{batch.declared}={batch.total} if {batch.total} is meant']
        if batch.right_batch_size:
            ways.insert(0, f'{batch.field}={batch.right_batch_size}')
        text = f'{name}: {batch}. In {where}, set ' + ', or '.join(ways)
        if batch.right_processes and (available is None or batch.right_processes <= available):
            text += f'; or use --gpus-per-run {batch.right_processes}'
        texts.append(text)
    return texts
