"""Base classes of train loops that resume at any iteration with the results of an uninterrupted run."""
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

from mmengine.runner import BaseLoop, Runner
from torch import nn

from ..hooks.validated_hook import VALIDATED, ValidatedHook
from ..start_lines import log_start
from .feed import FeedData

B = TypeVar('B')  # the batches of an iteration


def check_at_least(**fields: tuple[int, int]) -> None:
    """Raises ValueError unless each field of ``train_cfg``, (value, least), is a whole number and large enough."""
    for name, (value, least) in fields.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f'train_cfg.{name}={value!r} must be a whole number from {least}')
        if value < least:
            raise ValueError(f'train_cfg.{name}={value} must be at least {least}')


class ResumableLoop(BaseLoop, Generic[B]):
    """A mixin for loops by epochs: resumes within an epoch, and before a pending validation.

    A subclass has the attributes of mmengine's EpochBasedTrainLoop and the four
    methods below.
    """
    dataloader: Any  # its length is that of an epoch
    val_begin: int
    val_interval: int
    stop_training: bool
    _epoch: int
    _max_epochs: int
    _iter: int

    def start(self) -> None:
        """Before the first iteration: moves the data to the iteration of the runner, which may have been resumed."""
        raise NotImplementedError

    def before_epochs(self) -> None:
        """Before the first iteration, after the validation that a resumed run has missed; does nothing by default."""

    def stop(self) -> None:
        """After the last iteration, or an error: ends workers."""
        raise NotImplementedError

    def batches(self, done: int) -> Iterable[B]:
        """The batches of the current epoch without its first ``done``."""
        raise NotImplementedError

    def run_iter(self, index: int, batch: B) -> None:
        """Runs iteration ``index`` of the current epoch with its hooks, and adds 1 to ``iter``."""
        raise NotImplementedError

    def run(self) -> nn.Module:
        runner = self.runner
        log_start(runner)
        runner.call_hook('before_train')
        runner.register_hook(ValidatedHook())
        try:
            self.start()
            if self.validation_missed():
                self.validate()
            self.before_epochs()
            while self._epoch < self._max_epochs and not self.stop_training:
                self.run_epoch()
                if self.validation_due():
                    self.validate()
        finally:
            self.stop()
        runner.call_hook('after_train')
        return runner.model

    def run_epoch(self) -> None:
        """The remaining iterations of the current epoch (all, unless the run was resumed within it)."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        done = self._iter - self._epoch * len(self.dataloader)
        for index, batch in enumerate(self.batches(done), done):
            self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def validate(self) -> None:
        self.runner.val_loop.run()

    def validation_due(self) -> bool:
        """Whether a validation follows now, as in mmengine: from ``val_begin`` on every ``val_interval`` epochs, and
        after the last."""
        return self.runner.val_loop is not None and self._epoch >= self.val_begin and (
            self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs)

    def validation_missed(self) -> bool:
        """Whether the run was resumed at the end of an epoch whose validation is not done.

        mmengine writes the checkpoint before that validation; resumed, it would skip it.
        """
        return 0 < self._epoch * len(self.dataloader) == self._iter and self.validation_due() and \
            self.runner.message_hub.get_info(VALIDATED, 0) < self._epoch


class FeedLoop(ResumableLoop[B]):
    """A loop over endless feeds, in epochs of a given number of iterations.

    A subclass defines the batches of an iteration (:meth:`next_batches`) and
    the iteration (:meth:`step`).

    Args:
        data (FeedData): its length is the number of iterations of an epoch.
        max_epochs (int): number of epochs.
        val_begin, val_interval (int): in epochs, as in mmengine; the last epoch
            is always validated.
    """

    def __init__(self, runner: Runner, data: FeedData, max_epochs: int, val_begin: int, val_interval: int) -> None:
        # mmengine declares a DataLoader, and takes all that has its length and dataset
        super().__init__(runner, data)  # pyright: ignore[reportArgumentType]
        self._max_epochs = max_epochs
        self._max_iters = max_epochs * len(data)
        self.val_begin = val_begin
        self.val_interval = val_interval
        self._epoch = self._iter = 0
        self.stop_training = False

    @property
    def max_epochs(self) -> int:
        return self._max_epochs

    @property
    def max_iters(self) -> int:
        return self._max_iters

    @property
    def epoch(self) -> int:
        return self._epoch

    @property
    def iter(self) -> int:
        return self._iter

    def go_to(self, epoch: int) -> None:
        """Makes the first iteration of an epoch the next one, whatever was done before."""
        self._epoch, self._iter = epoch, epoch * len(self.dataloader)

    def start(self) -> None:
        self.dataloader.start(self.runner.seed)

    def stop(self) -> None:
        self.dataloader.stop()

    def batches(self, done: int) -> Iterator[B]:
        for _ in range(done, len(self.dataloader)):
            yield self.next_batches()

    def run_iter(self, index: int, batch: B) -> None:
        self.runner.call_hook('before_train_iter', batch_idx=index, data_batch=batch)
        outputs = self.step(batch)
        self.runner.call_hook('after_train_iter', batch_idx=index, data_batch=batch, outputs=outputs)
        self._iter += 1

    def next_batches(self) -> B:
        """The batches of iteration ``iter``."""
        raise NotImplementedError

    def step(self, batches: B) -> dict[str, Any]:
        """Iteration ``iter``; returns the figures that hooks log."""
        raise NotImplementedError
