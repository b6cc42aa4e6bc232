"""Undocumented parts of mmengine's Runner, loops and optimiser wrappers."""
from typing import Any

from mmengine.hooks import LoggerHook
from mmengine.runner import BaseLoop, Runner
from mmengine.visualization.vis_backend import BaseVisBackend

from .private import LIBRARIES, Private

NAMES = (
    *(Private(
        f'mmengine.runner.Runner.{name}', '', reason, undefined='before the runner is built', seen=LIBRARIES)
      for name, reason in dict(
        _load_from='the checkpoint from which a run starts; `load_from` of the config is None if the run looks for the '
                   'last one itself',
        _resume='whether a run resumes from a checkpoint or takes its weights alone',
        _train_loop='the loop, if it is built; `train_loop` would build it and its data',
        _val_loop='as _train_loop', _test_loop='as _train_loop',
        _has_loaded='set when a search loads its checkpoint, so that the runner does not load it again',
        _randomness_cfg='whether seeds differ between processes (`diff_rank_seed`)').items()),
    *(Private(f'mmengine.runner.EpochBasedTrainLoop.{name}', '', reason, seen=LIBRARIES) for name, reason in dict(
        _decide_current_val_interval='called by RetrainLoop: `dynamic_intervals` change the interval of validations',
        _epoch='set by ResumableLoop; the property `epoch` has no setter', _iter='as _epoch', _max_epochs='as _epoch',
        _max_iters='as _epoch').items()),
    *(Private(
        f'mmengine.hooks.CheckpointHook.{name}', '',
        'overridden by AtomicCheckpointHook: a file is complete before another is removed', seen=LIBRARIES)
      for name in ('_save_checkpoint_with_step', '_save_best_checkpoint')),
    Private(
        'mmengine.optim.OptimWrapper._accumulative_counts', '',
        'number of batches per step of the optimiser', seen=LIBRARIES),
    Private(
        'mmengine.hooks.LoggerHook.after_test_epoch', '',
        'replaced in all processes but the first: mmengine lets all processes write the metrics of a test to the same '
        'file', seen=LIBRARIES),
    Private(
        'mmengine.visualization.Visualizer._vis_backends', '',
        'all backends of a run; `get_backend` takes the name of one, and configs may name backends as they like',
        seen=LIBRARIES),
)


def checkpoint_of(runner: Runner) -> str | None:
    """The checkpoint from which a run starts."""
    return runner._load_from


def is_resumed(runner: Runner) -> bool:
    """Whether a run resumes from its checkpoint, with the optimiser's state, or takes the weights alone."""
    return runner._resume


def start_from(runner: Runner, checkpoint: str | None) -> None:
    """Resume from ``checkpoint``; None starts the run anew."""
    runner._load_from = checkpoint
    runner._resume = checkpoint is not None


def built_loops(runner: Runner) -> dict[str, BaseLoop]:
    """The loops that the run has, by 'train', 'val' and 'test'; a test has no train loop."""
    loops = {part: getattr(runner, f'_{part}_loop') for part in ('train', 'val', 'test')}
    return {part: loop for part, loop in loops.items() if isinstance(loop, BaseLoop)}


def has_seeds_by_rank(runner: Runner) -> bool:
    """Whether mmengine adds the rank to the seed of each process."""
    return bool(runner._randomness_cfg.get('diff_rank_seed'))


def batches_per_step(optim_wrapper: Any) -> int:
    """Iterations whose gradients one step of the optimiser takes."""
    return getattr(optim_wrapper, '_accumulative_counts', 1)


def vis_backends(runner: Runner) -> list[BaseVisBackend]:
    """The visualisation backends of a run: files, TensorBoard, Weights & Biases, ..."""
    return list(runner.visualizer._vis_backends.values())


def leave_metrics_to_others(runner: Runner) -> None:
    """Stops this process from writing the file with a test's metrics."""
    for hook in runner.hooks:
        if isinstance(hook, LoggerHook):
            hook.after_test_epoch = lambda runner, metrics=None: None
