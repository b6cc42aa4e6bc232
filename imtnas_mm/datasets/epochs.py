"""Dataloaders of retrainings, which resume exactly, even within an epoch.

The user's sampler and batch sampler choose the examples of each batch. The
pipeline's random numbers depend on the seed, the rank, the iteration and the
example's place in the batch.
"""
from collections.abc import Iterator
from typing import Any

from mmengine.dist import get_rank
from mmengine.runner import Runner
from torch.utils.data import BatchSampler, DataLoader, IterableDataset

from ..random_state import Purpose, isolated_streams
from .seeded import Position, SeededDataset
from .workers import watch_workers


class EpochBatches(BatchSampler):
    """The batches of a batch sampler in one epoch, from some iteration on.

    The length stays that of a whole epoch. Other attributes are those of the
    wrapped batch sampler.

    Args:
        batches (BatchSampler): finite; over the examples of this rank.
        seed (int): the same on all ranks.
        field (str): of the dataloader, for messages.
    """

    def __init__(self, batches: Any, seed: int, field: str) -> None:
        self.batches = batches
        self.seed = seed
        self.field = field
        self.rank = get_rank()
        self.epoch = self.done = 0

    def __getattr__(self, name: str) -> Any:
        if name == 'batches' or name.startswith('__'):
            raise AttributeError(name)
        return getattr(self.batches, name)

    def __len__(self) -> int:
        return len(self.batches)

    def seek(self, epoch: int, done: int) -> None:
        """The next pass yields ``epoch`` without its first ``done`` batches."""
        self.epoch, self.done = epoch, done

    def __iter__(self) -> Iterator[list[Position]]:
        length = len(self)
        first = self.epoch * length
        part: Any
        for part in (self.batches, getattr(self.batches, 'sampler', None)):
            if hasattr(part, 'set_epoch'):
                part.set_epoch(self.epoch)
        # a sampler may draw from the global generators, too
        with isolated_streams() as seed_streams:
            seed_streams(*Purpose.RETRAIN_ORDER.key(seed=self.seed, epoch=self.epoch))
            batches = [batch for batch, _ in zip(self.batches, range(length + 1), strict=False)]
        if len(batches) != length:
            sampler = type(getattr(self.batches, 'sampler', self.batches)).__name__
            raise ValueError(f'{self.field}: {sampler} with {type(self.batches).__name__} gives '
                             f'{"more than" if len(batches) > length else "only"} {min(len(batches), length)} batches '
                             f'in epoch {self.epoch + 1} where their length is {length}; a training by epochs needs '
                             'epochs of one length, as DefaultSampler gives')
        for number in range(self.done, length):
            yield [Position(index, Purpose.RETRAIN_EXAMPLE.key(
                seed=self.seed, rank=self.rank, iteration=first + number, slot=slot))
                for slot, index in enumerate(batches[number])]


def build_epoch_loader(cfg: dict[str, Any], seed: int, field: str = 'train_dataloader') -> DataLoader:
    """mmengine's dataloader of a config, which can start within any epoch.

    Args:
        cfg (dict): an mmengine dataloader config; its sampler, batch sampler
            and all other fields keep their meaning.
        seed (int): not negative, the same on all ranks.
        field (str): name of ``cfg`` in messages.

    Returns:
        DataLoader: ``.batch_sampler`` is an :class:`EpochBatches`, ``.dataset``
        a :class:`SeededDataset`.
    """
    plain = Runner.build_dataloader(cfg, seed=seed)
    if isinstance(plain.dataset, IterableDataset) or plain.batch_sampler is None:
        raise ValueError(f'{field}: a training by epochs needs a dataset with a length and a batch_size')
    kept = {
        name: getattr(plain, name)
        for name in ('num_workers', 'collate_fn', 'pin_memory', 'timeout', 'worker_init_fn',
                     'multiprocessing_context', 'generator', 'prefetch_factor', 'persistent_workers', 'in_order')
    }
    dataset: Any = plain.dataset
    return watch_workers(
        DataLoader(SeededDataset(dataset), batch_sampler=EpochBatches(plain.batch_sampler, seed, field), **kept),
        field)
