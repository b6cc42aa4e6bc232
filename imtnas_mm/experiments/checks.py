"""What stops a comparison before it starts: a total batch that a config was not written for, too few GPUs, a table that
can't be read."""
from collections.abc import Iterable

from mmengine.config import Config

from ..accuracy_table import TableError, read_table
from ..engine.launch.total_batch import declared_batches, other_batches
from .run import Run


def refusals(runs: Iterable[Run], asked: int | None = None, available: int | None = None) -> list[str]:
    """What is wrong with the trainings of runs, one text for each different fault.

    Args:
        runs (list[Run]): that are to be done.
        asked (int | None): ``--gpus-per-run``.
        available (int | None): GPUs that there are; None: as many as needed
            (on CPUs, and on a cluster).
    """
    found = {}
    for run in runs:
        for name, cfg in run.trainings().items():
            count = run.processes(name, asked)
            try:
                texts = _texts(name, cfg, count, available)
            except ValueError as error:
                texts = [f'{name}: {error}']
            for text in texts:
                found.setdefault(text, []).append(run.name)
    return [_whose(names) + f': {text}' for text, names in found.items()]


def table_refusals(runs: Iterable[Run]) -> list[str]:
    """What is wrong with the tables that runs look up in, one text for each different fault."""
    asked: dict[tuple[str, str, tuple[str, ...] | None], list[str]] = {}  # field, file, metrics -> names
    for run in runs:
        for name, options in run.tables.items():
            metrics = None if options['metrics'] is None else tuple(options['metrics'])
            asked.setdefault((f'evaluations.{name}.table', options['table'], metrics), []).append(run.name)
        if run.sampler is not None:
            asked.setdefault(('sampler', run.sampler['table'], (run.sampler['metric'], )), []).append(run.name)
    texts = []
    for (field, file, metrics), names in asked.items():
        try:
            read_table(file, metrics)
        except TableError as error:
            texts.append(f'{_whose(names)}: {field}: {error}')
    return texts


def unchecked(runs: Iterable[Run], asked: int | None = None) -> list[str]:
    """Trainings by several processes whose configs declare no total batch, one text for each."""
    found = {}
    for run in runs:
        for name, cfg in run.trainings().items():
            count = run.processes(name, asked)
            for field, (loader, _, total) in declared_batches(cfg).items():
                if count > 1 and total is None and not cfg.get('auto_scale_lr', {}).get('enable'):
                    text = (f'{name}: {field}: {count} processes of {loader.get("batch_size", 1)} examples; the config '
                            'declares no auto_scale_lr.base_batch_size to compare them with')
                    found.setdefault(text, []).append(run.name)
    return [_whose(names) + f': {text}' for text, names in found.items()]


def _whose(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f'{names[0]} (and {len(names) - 1} more)'


def _texts(name: str, cfg: Config, count: int, available: int | None) -> list[str]:
    where = "the row's options" if name == 'search' else f'evaluations.{name}.options'
    if available is not None and count > available:
        text = f'{name}: it has {count} GPUs, and there are {available}'
        sizes = [(one, one.right_batch_size) for one in other_batches(cfg, available)]
        if sizes and all(size for _, size in sizes):
            text += (f'. With --gpus-per-run {available}, set '
                     + ', '.join(f'{one.field}={size}' for one, size in sizes) + f' in {where}')
        return [text]
    texts = []
    for one in other_batches(cfg, count):
        ways = [f'{one.declared}={one.total} if {one.total} is meant']
        if one.right_batch_size:
            ways.insert(0, f'{one.field}={one.right_batch_size}')
        text = f'{name}: {one}. In {where}, set ' + ', or '.join(ways)
        if one.right_processes and (available is None or one.right_processes <= available):
            text += f'; or use --gpus-per-run {one.right_processes}'
        texts.append(text)
    return texts
