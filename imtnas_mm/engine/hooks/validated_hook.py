"""Notes validations that are done, so that a stop before or within a validation leaves none out."""
from mmengine.hooks import Hook

# in mmengine's message hub, which checkpoints keep; what begins with val there is logged as a result
VALIDATED = 'epoch_validated'


class ValidatedHook(Hook):
    """Notes that the validation after an epoch is done, before any checkpoint is written that has its results."""
    priority = 'NORMAL'

    def after_val_epoch(self, runner, metrics=None):
        runner.message_hub.update_info(VALIDATED, runner.epoch)
