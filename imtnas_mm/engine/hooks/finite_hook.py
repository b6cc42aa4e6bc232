"""Hook that stops a retraining when a loss or a weight is NaN or infinite."""
from typing import Any

from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner

from ...finite import check_finite, check_state
from ...registry import HOOKS


@HOOKS.register_module()
class FiniteHook(Hook):
    """Checks the loss of every iteration, and the weights before every checkpoint, in mmengine's loops.

    mmdet's CheckInvalidLossHook checks the loss alone, by default in every
    50th iteration: checkpoints in between are written unchecked.
    """
    priority = 'HIGH'  # before the hooks that log and save

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None,
                         outputs: dict[str, Any] | None = None) -> None:
        losses = {name: [value] for name, value in (outputs or {}).items() if hasattr(value, 'is_floating_point')}
        check_finite(f'iteration {runner.iter + 1}', losses)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        check_state(f'iteration {runner.iter + 1}, the checkpoint is not written', runner.model, runner.optim_wrapper)
