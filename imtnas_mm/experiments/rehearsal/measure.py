"""Runs two iterations of a training, two batches of its validation and of its test, and measures time and memory."""
import errno
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner

from ...analysis.latency import device_name
from ...engine.launch.build import build_runner
from ...engine.launch.config import is_search
from ...engine.launch.phases import check_phases, kept_operations, phase_config
from ...tasks.joint_model import is_joint
from ..execute import RSS_UNIT
from ..records import versions
from .config import BATCHES, rehearsal_config
from .cost import Part, checkpoints_of, full_batches, sampled_batches, validations_of

CHECKPOINT = 'rehearsal.pth'
NO_MEMORY = ("can't allocate memory", 'not enough memory', 'bad_alloc', 'out of memory', 'could not create a memory')


class Rehearsed(Exception):
    """The iterations of a rehearsal are done."""


class TimerHook(Hook):
    """Times iterations and batches, without the making of their examples, on a GPU until it has computed them.

    Attributes:
        iterations (list[float]): seconds of each iteration.
        passes (list[list[float]]): per dataset that was evaluated, seconds of each batch.
    """
    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.iterations: list[float] = []
        self.passes: list[list[float]] = []
        self.begin = 0.

    def _now(self):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        self.begin = self._now()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None,
                         outputs: dict[str, Any] | None = None) -> None:
        self.iterations.append(self._now() - self.begin)

    def _before(self, runner, batch_idx, data_batch=None):
        if batch_idx == 0:
            self.passes.append([])
        self.begin = self._now()

    def _after(self, runner, batch_idx, data_batch=None, outputs=None):
        self.passes[-1].append(self._now() - self.begin)

    before_val_iter = before_test_iter = _before
    after_val_iter = after_test_iter = _after


class StopHook(Hook):
    """Raises :class:`Rehearsed` after every ``BATCHES`` iterations, once all other hooks have done their work."""
    priority = 'LOWEST'

    def __init__(self) -> None:
        self.done = 0

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None,
                         outputs: dict[str, Any] | None = None) -> None:
        self.done += 1
        if self.done % BATCHES == 0:
            raise Rehearsed


def measure(cfg: Config, folder: str | Path, processes: int = 1, test: bool = True) -> dict[str, Any]:
    """Rehearse a training in this process.

    Args:
        cfg (Config): resolved, of a search (its phases are rehearsed in turn), a retraining or a joint retraining.
        folder (str | Path): for logs.
        processes (int): that the training has; this is one of them, with its own batch.
        test (bool): whether its test follows; that of a search is of the networks of all rounds.

    Returns:
        dict: ``parts`` (fields of :class:`Part`; one per phase), ``test``
        (seconds of the test), ``memory`` (bytes, the peak of a GPU if there is
        one, or of this process), ``device``, ``versions`` (of packages),
        ``metrics`` (``val`` and ``test``, by their names) and, of a search,
        ``architecture``.

    Raises:
        Exception: any that the training raises.
    """
    cfg = rehearsal_config(cfg)
    cfg.work_dir = str(folder)
    cfg.experiment_name = f'rehearsal_{time.time_ns()}'  # mmengine keeps loggers by name
    if test and is_search(cfg):
        cfg.test_cfg.all_rounds = True
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    parts, records, metrics, seconds = [], [], {}, 0.
    phases: list[dict[str, Any] | None] = [None]
    if cfg.get('phases'):
        check_phases(cfg)
        phases = list(cfg.phases)
    for number, phase in enumerate(phases, 1):
        last = number == len(phases)
        part_cfg = cfg if phase is None else phase_config(cfg, phase, str(Path(folder, f'phase{number}')), records)
        runner = build_runner(part_cfg)
        part, metrics['val'], metrics['test'], seconds = _measure_part(runner, processes, test and last)
        parts.append(vars(part))
        model: Any = runner.model
        if phase is not None:
            records.append(dict(kept=kept_operations(model, phase['keep'])))
    result = dict(parts=parts, test=seconds, memory=peak_memory(), device=measuring_device(), versions=versions(),
                  metrics=metrics)
    if is_search(cfg):
        result['architecture'] = model.derive().to_dict()
    return result


def _measure_part(runner: Runner, processes: int, test: bool) -> tuple[Part, dict[str, Any], dict[str, Any], float]:
    """The costs of one loop, the metrics of its validation and test, and the seconds of the test."""
    cfg, timer = runner.cfg, TimerHook()
    runner.register_hook(timer)
    runner.register_hook(StopHook())
    kinds = list(_rehearse_epochs(runner, timer))
    length, total = _iterations(runner, processes), runner.max_epochs
    validation, of_val = 0., {}
    if runner.val_loop is not None:
        timer.passes.clear()
        of_val = runner.val_loop.run()
        validation = _seconds_of_pass(runner.val_loop, timer, processes)
    runner.save_checkpoint(runner.work_dir, CHECKPOINT, by_epoch=False)
    checkpoint = Path(runner.work_dir, CHECKPOINT)
    size = checkpoint.stat().st_size
    checkpoint.unlink()
    part = Part(
        [(epochs, length, seconds) for epochs, seconds in kinds], validation,
        validations_of(cfg.train_cfg) if runner.val_loop is not None else 0, size,
        checkpoints_of(cfg.get('default_hooks', {}).get('checkpoint'), total, total * length))
    if not test:
        return part, of_val, {}, 0.
    timer.passes.clear()
    of_test = runner.test()
    return part, of_val, of_test, _seconds_of_pass(runner.test_loop, timer, processes)


def _rehearse_epochs(runner: Runner, timer: TimerHook) -> Iterator[tuple[int, float]]:
    """(number of epochs, seconds of an iteration) per kind of epoch, each rehearsed from its first epoch."""
    try:
        runner.train()
    except Rehearsed:
        pass
    if not is_search(runner.cfg):
        yield runner.max_epochs, timer.iterations[-1]
        return
    loop: Any = runner.train_loop
    for epochs in loop.kinds_of_epochs().values():
        if epochs[0]:
            loop.go_to(epochs[0])
            try:
                loop.start()
                loop.run_epoch()
            except Rehearsed:
                pass
            finally:
                loop.stop()
        yield len(epochs), timer.iterations[-1]


def _iterations(runner: Runner, processes: int) -> int:
    """The iterations of an epoch of the whole training."""
    cfg = runner.cfg
    loop: Any = runner.train_loop
    if not (is_search(cfg) or is_joint(cfg)):
        loader = cfg.train_dataloader
        return sampled_batches(len(loop.dataloader.dataset), loader.get('batch_size', 1), processes,
                               loader.get('drop_last', False))
    if cfg.train_cfg.get('epoch_length') is not None:
        return cfg.train_cfg.epoch_length
    first = next(iter(loop.tasks.values()))  # of the order
    return full_batches(len(first.train_indices), first.cfg['batch_size'], processes)


def _seconds_of_pass(loop: Any, timer: TimerHook, processes: int) -> float:
    """Seconds of a whole validation or test, from the last batch that was rehearsed of each dataset."""
    loaders = [loop.loaders[task] for _, task, _ in loop.networks()] if hasattr(loop, 'loaders') else [loop.dataloader]
    return sum(seconds[-1] * sampled_batches(len(loader.dataset), loader.batch_size, processes, loader.drop_last)
               for loader, seconds in zip(loaders, timer.passes, strict=True))


def peak_memory() -> int:
    """int: bytes, the largest that torch held on the GPU or, without one, that this process held."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT


def measuring_device() -> str:
    """The name of the GPU, or of the CPU with the threads that torch takes."""
    if torch.cuda.is_available():
        return device_name('cuda')
    return f'CPU {device_name("cpu")}, {torch.get_num_threads()} threads'


def out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that caused it, says that memory is missing."""
    while error is not None:
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or (
                isinstance(error, OSError) and error.errno == errno.ENOMEM) or (
                isinstance(error, RuntimeError) and any(text in str(error) for text in NO_MEMORY)):
            return True
        error = error.__cause__ or error.__context__
    return False
