"""The train loop of retrainings: mmengine's, but resumed it goes on as if it had not been stopped."""
import logging

from mmengine.dist import get_rank, get_world_size
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop

from ...checkpoint import CheckpointError
from ...datasets.epochs import build_epoch_loader
from ...random_state import seed_generators
from ...registry import LOOPS
from ..hooks.validated_hook import ValidatedHook, validation_due, validation_missed

EPOCHS = 'epochs_of'  # in mmengine's message hub: how long an epoch is, and for how many processes


@LOOPS.register_module()
class RetrainLoop(EpochBasedTrainLoop):
    """mmengine's EpochBasedTrainLoop, with the fields that it has, where all is a function of seed, iteration and rank.

    What an iteration sees and draws doesn't depend on the workers, nor on what
    ran before: sampling and augmentation are those of
    :func:`~imtnas_mm.datasets.epochs.build_epoch_loader`, and dropout, drop path
    and mixup start from (seed, iteration, rank). So a training that was stopped
    at any iteration and resumed from a checkpoint ends as one that was not.

    Raises:
        CheckpointError: resumed with epochs of another length, or with another
            number of processes.
    """

    def __init__(self, runner, dataloader, *args, **kwargs):
        if not isinstance(dataloader, dict):
            raise TypeError(f'train_dataloader: {type(self).__name__} builds it from a config, got a '
                            f'{type(dataloader).__name__}')
        self._dataloader_cfg = dataloader
        self._shared_seed = self._seed_of_all_ranks(runner)
        super().__init__(runner, build_epoch_loader(dataloader, self._shared_seed), *args, **kwargs)

    @staticmethod
    def _seed_of_all_ranks(runner):
        """With ``diff_rank_seed`` mmengine adds the rank to it."""
        return runner.seed - (get_rank() if runner._randomness_cfg.get('diff_rank_seed') else 0)

    def run(self):
        runner = self.runner
        runner.call_hook('before_train')
        runner.register_hook(ValidatedHook())
        self._go_on()
        self._decide_current_val_interval()
        if validation_missed(self):
            self.validate()
        try:
            while self._epoch < self._max_epochs and not self.stop_training:
                self.run_epoch()
                self._decide_current_val_interval()
                if validation_due(self):
                    self.validate()
        finally:
            self.dataloader._iterator = None  # persistent workers end
        runner.call_hook('after_train')
        return runner.model

    def _go_on(self):
        """From where the runner is, which may have been resumed."""
        runner, hub = self.runner, self.runner.message_hub
        here = dict(iterations=len(self.dataloader), processes=get_world_size())
        saved = hub.get_info(EPOCHS) or here
        if saved != here:
            raise CheckpointError(
                f'{runner._load_from}: its training had epochs of {saved["iterations"]} iterations by '
                f'{saved["processes"]} processes; here they have {here["iterations"]} by {here["processes"]}. Resume '
                'it with the dataset, the batch size and the number of processes that it had, or start another from '
                'its weights (load_from)')
        hub.update_info(EPOCHS, here)
        seed = self._seed_of_all_ranks(runner)
        if seed != self._shared_seed:  # the checkpoint's
            dataset = self.dataloader.dataset.wrapped
            self.dataloader = build_epoch_loader(dict(self._dataloader_cfg, dataset=dict(type=lambda: dataset)), seed)
            self._shared_seed = seed
        steps = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        if self._iter % steps:
            print_log(f'resumed after {self._iter} iterations, between two steps of the optimiser '
                      f'(optim_wrapper.accumulative_counts={steps}): the gradients of the last {self._iter % steps} '
                      'are lost. Checkpoints at whole steps resume exactly', 'current', logging.WARNING)

    def run_epoch(self):
        """The iterations left of the present epoch (all, unless resumed within it)."""
        runner, loader = self.runner, self.dataloader
        done = self._iter - self._epoch * len(loader)
        loader.batch_sampler.seek(self._epoch, done)
        runner.call_hook('before_train_epoch')
        runner.model.train()
        if done < len(loader):
            for index, batch in enumerate(loader, done):
                self.run_iter(index, batch)
        runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx, data_batch):
        seed_generators(self._shared_seed, get_rank(), self._iter)
        super().run_iter(idx, data_batch)

    def validate(self):
        seed_generators(self._shared_seed, get_rank(), self._iter)
        self.runner.val_loop.run()
