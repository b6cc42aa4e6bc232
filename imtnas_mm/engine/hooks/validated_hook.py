"""Hook that notes finished validations, so that a resumed run knows whether one is still to come."""
from mmengine.hooks import Hook

# in mmengine's message hub, which checkpoints keep; names that begin with val are logged there as results
VALIDATED = 'epoch_validated'


class ValidatedHook(Hook):
    """Notes that the validation after an epoch is done, before a checkpoint with its results is written."""
    priority = 'NORMAL'

    def after_val_epoch(self, runner, metrics=None):
        runner.message_hub.update_info(VALIDATED, runner.epoch)
