"""Compares the total batch size of a run with that for which the config's learning rates were chosen."""
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner


@dataclass(frozen=True)
class OtherBatch:
    """A dataloader whose total batch size is not that of its config.

    ``total = processes * batch_size * accumulated``.

    Args:
        loader (str): ``'train_dataloader'``, or ``'train_dataloader.<task>'``.
        batch_size (int): per process.
        processes (int): that train together.
        accumulated (int): batches per process and step of the optimiser.
        written_for (int): the value of ``auto_scale_lr.base_batch_size``.
        declared (str): the field with that value.
    """
    loader: str
    batch_size: int
    processes: int
    accumulated: int
    written_for: int
    declared: str

    @property
    def field(self) -> str:
        return f'{self.loader}.batch_size'

    @property
    def total(self) -> int:
        return self.processes * self.batch_size * self.accumulated

    @property
    def right_batch_size(self) -> int | None:
        """int | None: the batch size per process for the right total; None if no whole number gives it."""
        size, rest = divmod(self.written_for, self.processes * self.accumulated)
        return None if rest else size

    @property
    def right_processes(self) -> int | None:
        """int | None: the number of processes for the right total; None if no whole number gives it."""
        if self.batch_size < 1:  # an error when the loader is built
            return None
        processes, rest = divmod(self.written_for, self.batch_size * self.accumulated)
        return None if rest else processes

    def __str__(self) -> str:
        processes = '1 process' if self.processes == 1 else f'{self.processes} processes'
        steps = '' if self.accumulated == 1 else f' and {self.accumulated} accumulated batches'
        return (f'{self.field}: {self.batch_size}; with {processes}{steps} an iteration has {self.total} examples, but '
                f'the config was written for {self.written_for} ({self.declared})')


def declared_batches(cfg: Config) -> dict[str, tuple[Any, str | None, Any]]:
    """The total batch sizes that ``auto_scale_lr.base_batch_size`` of a config declares for its learning rates.

    It is a number, as in mmdet, or, with one dataloader per task, a dict of
    task -> total.

    Args:
        cfg (Config): resolved.

    Returns:
        dict: name of a dataloader -> ``(its config, field, total)``; field and
        total are None where nothing is declared.

    Raises:
        ValueError: names the field.
    """
    loaders = cfg.get('train_dataloader')
    if not loaders:
        return {}
    base, field = cfg.get('auto_scale_lr', {}).get('base_batch_size'), 'auto_scale_lr.base_batch_size'
    if 'dataset' in loaders:
        if base is not None:
            _check(field, base)
        return {'train_dataloader': (loaders, field if base is not None else None, base)}
    if base is not None and not isinstance(base, dict):
        raise ValueError(f'{field}: {base!r}; it must be a dict of the total batch of each task, as in '
                         f'dict({", ".join(f"{task}={base!r}" for task in loaders)})')
    declared = {}
    for task, loader in loaders.items():
        total = (base or {}).get(task)
        if total is not None:
            _check(f'{field}.{task}', total)
        declared[f'train_dataloader.{task}'] = (loader, None if total is None else f'{field}.{task}', total)
    return declared


def other_batches(cfg: Config, processes: int) -> list[OtherBatch]:
    """list[OtherBatch]: the dataloaders whose total batch is not the declared one.

    It is empty where nothing is declared, or where ``auto_scale_lr.enable``
    scales the learning rate with the total batch.

    Args:
        cfg (Config): resolved.
        processes (int): that train together.
    """
    if cfg.get('auto_scale_lr', {}).get('enable'):
        return []
    accumulated = cfg.get('optim_wrapper', {}).get('accumulative_counts', 1)
    batches = [
        OtherBatch(name, loader.get('batch_size', 1), processes, accumulated, total, field)
        for name, (loader, field, total) in declared_batches(cfg).items()
        if total is not None and field is not None]
    return [batch for batch in batches if batch.total != batch.written_for]


def warn_of_other_batches(runner: Runner) -> None:
    """Log a warning for each train dataloader whose total batch is not the declared one."""
    for batch in other_batches(runner.cfg, runner.world_size):
        changes = [] if batch.right_batch_size is None else [f'{batch.field}={batch.right_batch_size}']
        changes += [] if batch.right_processes is None else [f'{batch.right_processes} process(es)']
        right = f'Right would be {" or ".join(changes)}; ' if changes else ''
        runner.logger.warning(f'{batch}. Its learning rates may not fit. {right}if {batch.total} is meant, set '
                              f'{batch.declared}={batch.total}')


def _check(field, total):
    if not isinstance(total, int) or isinstance(total, bool) or total < 1:
        raise ValueError(f'{field}: {total!r}; it must be a whole number from 1, the examples of all processes in an '
                         'iteration')
