"""A train loop that begins at any iteration, and sees there what it would have seen without a stop."""
from typing import Any

from mmengine.runner import BaseLoop

from ..hooks.validated_hook import ValidatedHook, validation_due, validation_missed


def check_at_least(**fields):
    """Raises ValueError unless each field of ``train_cfg``, (value, least), is large enough."""
    for name, (value, least) in fields.items():
        if value < least:
            raise ValueError(f'train_cfg.{name}={value} must be at least {least}')


class PositionedLoop(BaseLoop):
    """Epochs of iterations, with validations between them, over data that start at any iteration.

    A subclass does an iteration in :meth:`run_iter`.

    Args:
        data: to mmengine's hooks a dataloader; has ``start(seed)`` and
            ``stop()``, and as its length the iterations of an epoch.
        max_epochs (int): number of epochs.
        val_begin, val_interval (int): in epochs, as in mmengine; the last epoch
            is always validated.
    """

    dataloader: Any  # the data

    def __init__(self, runner, data, max_epochs, val_begin, val_interval):
        super().__init__(runner, data)
        self._max_epochs = max_epochs
        self._max_iters = max_epochs * len(data)
        self.val_begin = val_begin
        self.val_interval = val_interval
        self._epoch = self._iter = 0
        self.stop_training = False

    @property
    def max_epochs(self):
        return self._max_epochs

    @property
    def max_iters(self):
        return self._max_iters

    @property
    def epoch(self):
        return self._epoch

    @property
    def iter(self):
        return self._iter

    def run(self):
        runner = self.runner
        runner.call_hook('before_train')
        runner.register_hook(ValidatedHook())
        self.dataloader.start(runner.seed)
        try:
            if validation_missed(self):
                runner.val_loop.run()
            while self._epoch < self._max_epochs and not self.stop_training:
                self.run_epoch()
                if validation_due(self):
                    runner.val_loop.run()
        finally:
            self.dataloader.stop()
        runner.call_hook('after_train')
        return runner.model

    def run_epoch(self):
        """The iterations left of the present epoch (all, unless resumed within it)."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for index in range(self._iter - self._epoch * len(self.dataloader), len(self.dataloader)):
            self.run_iter(index)
            self._iter += 1
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, index):
        """Iteration ``index`` of the present epoch, from its batches on, between its hooks."""
        raise NotImplementedError
