"""The train loop of retrainings: mmengine's epoch loop, which resumes bit by bit."""
import logging
from collections.abc import Iterable
from typing import Any

from mmengine.dist import get_rank, get_world_size
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from ...checkpoint import CheckpointError
from ...compat.loaders import end_persistent_workers
from ...compat.runner import batches_per_step, checkpoint_of, has_seeds_by_rank
from ...datasets import build_epoch_loader
from ...random_state import Purpose, seed_generators
from ...registry import LOOPS, built_before
from .resumable_loop import ResumableLoop

EPOCHS = 'epochs_of'  # in mmengine's message hub: how long an epoch is, and for how many processes


@LOOPS.register_module()
class RetrainLoop(ResumableLoop[Any], EpochBasedTrainLoop):
    """mmengine's EpochBasedTrainLoop, with the same fields; all randomness depends on seed, iteration and rank.

    Data and random numbers of an iteration depend neither on the workers nor on
    earlier iterations: :func:`~imtnas_mm.datasets.build_epoch_loader` samples
    and augments, and dropout, drop path and mixup start from (seed, iteration,
    rank). So a resumed training ends exactly as an uninterrupted one.

    A dataloader that is already built, as mmpretrain's vis_scheduler gives it,
    is run as it is; such a training can't be resumed.

    Raises:
        CheckpointError: epochs have another length, or the number of processes
            is another, than when the checkpoint was written; or the dataloader
            was built before.
    """

    def __init__(self, runner: Runner, dataloader: dict[str, Any] | DataLoader, *args: Any, **kwargs: Any) -> None:
        self._dataloader_cfg = dataloader if isinstance(dataloader, dict) else None
        self._shared_seed = self._seed_of_all_ranks(runner)
        if self._dataloader_cfg is not None:
            dataloader = build_epoch_loader(self._dataloader_cfg, self._shared_seed)
        super().__init__(runner, dataloader, *args, **kwargs)

    @staticmethod
    def _seed_of_all_ranks(runner):
        """The runner's seed without the rank, which mmengine adds with ``diff_rank_seed``."""
        return runner.seed - (get_rank() if has_seeds_by_rank(runner) else 0)

    def start(self) -> None:
        runner, hub = self.runner, self.runner.message_hub
        here = dict(iterations=len(self.dataloader), processes=get_world_size())
        saved = hub.get_info(EPOCHS) or here
        if saved != here:
            raise CheckpointError(
                f'{checkpoint_of(runner)}: its training had epochs of {saved["iterations"]} iterations by '
                f'{saved["processes"]} processes; here they have {here["iterations"]} by {here["processes"]}. Resume '
                'it with the dataset, the batch size and the number of processes that it had, or start another from '
                'its weights (load_from)')
        hub.update_info(EPOCHS, here)
        seed = self._seed_of_all_ranks(runner)
        if self._dataloader_cfg is None and self._iter:
            raise CheckpointError(f'{checkpoint_of(runner)}: the training was given a dataloader that is built, whose '
                                  'order of examples is not known; give the config of one to resume')
        if self._dataloader_cfg is not None and seed != self._shared_seed:  # the checkpoint's
            dataset = self.dataloader.dataset.wrapped
            self.dataloader = build_epoch_loader(dict(self._dataloader_cfg, dataset=built_before(dataset)), seed)
            self._shared_seed = seed
        steps = batches_per_step(runner.optim_wrapper)
        if self._iter % steps:
            print_log(f'resumed after {self._iter} iterations, between two steps of the optimiser '
                      f'(optim_wrapper.accumulative_counts={steps}): the gradients of the last {self._iter % steps} '
                      'are lost. Checkpoints at whole steps resume exactly', 'current', logging.WARNING)
        self._decide_current_val_interval()

    def stop(self) -> None:
        if self._dataloader_cfg is not None:
            end_persistent_workers(self.dataloader)

    def batches(self, done: int) -> Iterable[Any]:
        if self._dataloader_cfg is None:
            return self.dataloader
        self.dataloader.batch_sampler.seek(self._epoch, done)
        return self.dataloader if done < len(self.dataloader) else ()

    def _seed(self):
        key = Purpose.RETRAIN_ITERATION.key(seed=self._shared_seed, rank=get_rank(), iteration=self._iter)
        seed_generators(*key)

    def run_iter(self, index: int, batch: Any) -> None:
        self._seed()
        EpochBasedTrainLoop.run_iter(self, index, batch)

    def validation_due(self) -> bool:
        self._decide_current_val_interval()
        return super().validation_due()

    def validate(self) -> None:
        self._seed()
        super().validate()
