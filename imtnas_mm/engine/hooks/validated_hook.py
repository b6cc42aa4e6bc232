"""When a loop by epochs validates, so that a stop before or within a validation leaves none out."""
from mmengine.hooks import Hook

# in mmengine's message hub, which checkpoints keep; what begins with val there is logged as a result
VALIDATED = 'epoch_validated'


class ValidatedHook(Hook):
    """Notes that the validation after an epoch is done, before any checkpoint is written that has its results."""
    priority = 'NORMAL'

    def after_val_epoch(self, runner, metrics=None):
        runner.message_hub.update_info(VALIDATED, runner.epoch)


def validation_due(loop):
    """Whether a validation follows the epochs done, as in mmengine: from ``val_begin`` on, every ``val_interval``, and
    after the last."""
    return loop.runner.val_loop is not None and loop.epoch >= loop.val_begin and (
        loop.epoch % loop.val_interval == 0 or loop.epoch == loop.max_epochs)


def validation_missed(loop):
    """Whether the checkpoint that a run was resumed from is of the end of an epoch whose validation was still to come.

    mmengine writes it before that validation, and goes on with the next epoch.
    """
    return 0 < loop.epoch * len(loop.dataloader) == loop.iter and validation_due(loop) and \
        loop.runner.message_hub.get_info(VALIDATED, 0) < loop.epoch
