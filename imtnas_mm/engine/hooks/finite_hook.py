"""Stops a retraining where a loss or a weight is NaN or infinite."""
from mmengine.hooks import Hook

from ...finite import check_finite, check_state
from ...registry import HOOKS


@HOOKS.register_module()
class FiniteHook(Hook):
    """Stops a training of mmengine's loops at the iteration that a loss or, where a checkpoint is to be written, a
    weight is not finite.

    mmdet's CheckInvalidLossHook looks at the loss alone, and by its default at
    that of every 50th iteration: a checkpoint between is written.
    """
    priority = 'HIGH'  # before what logs and saves

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        losses = {name: [value] for name, value in (outputs or {}).items() if hasattr(value, 'is_floating_point')}
        check_finite(f'iteration {runner.iter + 1}', losses)

    def before_save_checkpoint(self, runner, checkpoint):
        check_state(f'iteration {runner.iter + 1}, the checkpoint is not written', runner.model, runner.optim_wrapper)
