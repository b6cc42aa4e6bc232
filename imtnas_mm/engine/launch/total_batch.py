"""The total batch of an iteration, and the one that a config's learning rates were chosen for."""
from dataclasses import dataclass


@dataclass(frozen=True)
class OtherBatch:
    """A dataloader that gives an iteration another number of examples than its config was written for.

    ``total = processes * batch_size * accumulated``.

    Args:
        loader (str): ``'train_dataloader'``, or ``'train_dataloader.<task>'``.
        batch_size (int): of one process.
        processes (int): that train together.
        accumulated (int): batches of a process for each step of the optimiser.
        written_for (int): what ``auto_scale_lr.base_batch_size`` says.
        declared (str): the field that says so.
    """
    loader: str
    batch_size: int
    processes: int
    accumulated: int
    written_for: int
    declared: str

    @property
    def field(self):
        return f'{self.loader}.batch_size'

    @property
    def total(self):
        return self.processes * self.batch_size * self.accumulated

    @property
    def right_batch_size(self):
        """int | None: of one process, for the right total with as many processes; None if there is none."""
        size, rest = divmod(self.written_for, self.processes * self.accumulated)
        return None if rest else size

    @property
    def right_processes(self):
        """int | None: for the right total with this batch size; None if there is no such number."""
        if self.batch_size < 1:  # refused where the loader is built
            return None
        processes, rest = divmod(self.written_for, self.batch_size * self.accumulated)
        return None if rest else processes

    def __str__(self):
        several = '1 process' if self.processes == 1 else f'{self.processes} processes'
        steps = '' if self.accumulated == 1 else f' and {self.accumulated} accumulated batches'
        return (f'{self.field}: {self.batch_size}; with {several}{steps} an iteration has {self.total} examples, but '
                f'the config was written for {self.written_for} ({self.declared})')


def declared_batches(cfg):
    """What ``auto_scale_lr.base_batch_size`` of a config declares, as in mmdet: the total batch of its learning rate.

    A config with a dataloader for each task declares a dict of task -> total.

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
    found = {}
    for task, loader in loaders.items():
        total = (base or {}).get(task)
        if total is not None:
            _check(f'{field}.{task}', total)
        found[f'train_dataloader.{task}'] = (loader, None if total is None else f'{field}.{task}', total)
    return found


def other_batches(cfg, processes):
    """list[OtherBatch]: the dataloaders whose total batch is not the declared one.

    None where nothing is declared, or where ``auto_scale_lr.enable`` scales
    the learning rate with the total batch.

    Args:
        cfg (Config): resolved.
        processes (int): that train together.
    """
    if cfg.get('auto_scale_lr', {}).get('enable'):
        return []
    accumulated = cfg.get('optim_wrapper', {}).get('accumulative_counts', 1)
    found = [
        OtherBatch(name, loader.get('batch_size', 1), processes, accumulated, total, field)
        for name, (loader, field, total) in declared_batches(cfg).items()
        if total is not None and field is not None]
    return [one for one in found if one.total != one.written_for]


def warn_of_other_batches(runner):
    """Log a warning for each dataloader of a training whose total batch is not the one its config was written for."""
    for one in other_batches(runner.cfg, runner.world_size):
        changes = [] if one.right_batch_size is None else [f'{one.field}={one.right_batch_size}']
        changes += [] if one.right_processes is None else [f'{one.right_processes} process(es)']
        runner.logger.warning(
            f'{one}. Its learning rates may not fit. ' + (f'Right would be {" or ".join(changes)}; ' if changes else '')
            + f'if {one.total} is meant, set {one.declared}={one.total}')


def _check(field, total):
    if not isinstance(total, int) or isinstance(total, bool) or total < 1:
        raise ValueError(f'{field}: {total!r}; it must be a whole number from 1, the examples of all processes in an '
                         'iteration')
