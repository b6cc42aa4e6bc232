"""Data as a function of (seed, position), so that a search or a joint training resumes exactly.

Position k = 0, 1, 2, ... counts the examples a task has seen since the run
began, over all ranks. What lies at a position depends on the seed and k alone:
not on the number of workers, not on where the run was resumed, and not on how
the positions are dealt out to ranks.
"""
import random
import warnings
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.dist import get_dist_info
from mmengine.runner import Runner
from torch.utils.data import Dataset, Sampler

from ..registry import DATA_SAMPLERS
from .checks import DataError
from .workers import watch_workers

# Keep the uses of one seed apart: SeedSequence mixes every word of its entropy.
_ORDER, _ITEM = 2, 3


@contextmanager
def seeded_random(*entropy):
    """Seed ``random``, ``numpy.random`` and torch's CPU generator, and put them back.

    The three get independent streams of one ``numpy.random.SeedSequence``.
    Random transforms of mmcv, mmdet and mmpretrain draw from these three.
    """
    words = np.random.SeedSequence(entropy).generate_state(12)
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        random.seed(words[:4].tobytes())
        np.random.seed(words[4:8])
        # not torch.manual_seed: it would reseed the GPUs, too
        torch.default_generator.manual_seed(int(words[8:10].view(np.uint64)[0] >> np.uint64(1)))
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def innermost(dataset, index):
    """The dataset that an example of a ConcatDataset is of, and its index there."""
    while isinstance(dataset, ConcatDataset):
        part, index = dataset._get_ori_dataset_idx(index)
        dataset = dataset.datasets[part]
    return dataset, index


def prepare(dataset, index):
    """What the pipeline makes of an example, None where it drops it."""
    dataset, index = innermost(dataset, index)
    return dataset.prepare_data(index)


def retries_of(dataset):
    """How often mmengine's dataset would try another example for one that its pipeline drops.

    None for a test set, and for wrappers (mmengine's RepeatDataset, mmdet's
    MultiImageMixDataset), which have a retry of their own or none.
    """
    if isinstance(dataset, ConcatDataset):
        retries = [retries_of(one) for one in dataset.datasets]
        return None if None in retries else max(retries)
    plain = isinstance(dataset, BaseDataset) and type(dataset).__getitem__ is BaseDataset.__getitem__
    return dataset.max_refetch if plain and not dataset.test_mode else None


class PositionedDataset(Dataset):
    """A part of a dataset, shuffled anew every epoch, read by absolute position.

    Item k is example ``indices[permutation(seed, k // n)[k % n]]``, n =
    ``len(indices)``, its pipeline run under random states made from (seed, k).
    A pipeline that returns None (a crop without an object) is tried again on
    another example of the same part: mmengine would take any of the dataset,
    and so mix the train and validation halves.

    A transform that keeps a state from item to item (mmdet's CachedMosaic)
    makes items depend on the worker that read them.

    Args:
        dataset: a built mmengine-style dataset.
        indices (sequence of int): the part of ``dataset`` to read.
        seed (int): not negative; give each task and each half its own.

    Raises:
        ValueError: no indices, or one outside the dataset, or a negative seed.
        DataError: (when read) a pipeline gave None again and again.
    """

    def __init__(self, dataset, indices, seed):
        self.dataset = dataset
        self.indices = np.asarray(indices, dtype=np.int64)
        self.seed = int(seed)
        if self.indices.ndim != 1 or self.indices.size == 0:
            raise ValueError(f'indices: got shape {self.indices.shape}; needs one example or more in a flat sequence')
        if self.indices.min() < 0 or self.indices.max() >= len(dataset):
            raise ValueError(f'indices reach from {self.indices.min()} to {self.indices.max()}; '
                             f'the dataset has {len(dataset)} examples')
        if self.seed < 0:
            raise ValueError(f'seed={seed!r}: must not be negative')
        self._epoch: int | None = None
        self._order: Any = None  # a permutation, of that epoch
        self._retries = retries_of(dataset)

    @property
    def metainfo(self):
        return getattr(self.dataset, 'metainfo', {})

    def __len__(self):
        return len(self.indices)

    def index(self, position):
        """The index into the wrapped dataset that a position stands for."""
        if position < 0:
            raise IndexError(f'position {position}: must not be negative')
        epoch, place = divmod(int(position), len(self))
        if epoch != self._epoch:
            bits = np.random.PCG64(np.random.SeedSequence((_ORDER, self.seed, epoch)))
            self._epoch, self._order = epoch, np.random.Generator(bits).permutation(len(self))
        return int(self.indices[self._order[place]])

    def __getitem__(self, position):
        index = self.index(position)
        with seeded_random(_ITEM, self.seed, int(position)):
            if self._retries is None:
                return self.dataset[index]
            for _ in range(self._retries + 1):
                item = prepare(self.dataset, index)
                if item is not None:
                    return item
                last, index = index, int(np.random.choice(self.indices))
        raise DataError(f'position {position}: the pipeline returned None {self._retries + 1} times in a row, '
                        f'the last time for {self._name(last)}')

    def _name(self, index):
        dataset, index = innermost(self.dataset, index)
        try:
            return dataset.get_data_info(index)['img_path']
        except (AttributeError, KeyError, TypeError):  # in-memory sets have no files
            return f'example {index} of {type(dataset).__name__}'


@DATA_SAMPLERS.register_module()
class PositionSampler(Sampler):
    """Endless positions of one rank, from some iteration on.

    Iteration t of all ranks together is positions [t*B*R, (t+1)*B*R), of which
    rank r yields [t*B*R + r*B, t*B*R + (r+1)*B). B = batch size a rank, R =
    number of ranks.

    Args:
        start (int): the iteration to start with.
        batch_size_per_rank (int): B.
        rank, world_size (int, optional): default to those of the running job.
        dataset, seed: accepted because mmengine passes them to every sampler;
            positions need neither.
    """

    def __init__(self, start, batch_size_per_rank, rank=None, world_size=None, dataset=None, seed=None):
        job_rank, job_world_size = get_dist_info()
        self.start = int(start)
        self.batch_size = int(batch_size_per_rank)
        self.rank = job_rank if rank is None else rank
        self.world_size = job_world_size if world_size is None else world_size
        if self.start < 0:
            raise ValueError(f'start={start!r}: must not be negative')
        if self.batch_size < 1:
            raise ValueError(f'batch_size={batch_size_per_rank!r}: must be 1 or more')
        if not 0 <= self.rank < self.world_size:
            raise ValueError(f'rank={self.rank!r}: must lie in [0, {self.world_size})')

    def __iter__(self):
        iteration = self.start
        while True:
            first = (iteration * self.world_size + self.rank) * self.batch_size
            yield from range(first, first + self.batch_size)
            iteration += 1


def single_threaded_worker(worker_id):
    """Workers are many already: no threads of torch's or OpenCV's inside them."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


# Samplers that mean no more than 'shuffle all of it', which positions do.
_PLAIN_SAMPLERS = ('DefaultSampler', 'InfiniteSampler')


def _warn_if_special(cfg, field):
    sampler, batch_sampler = cfg.get('sampler'), cfg.get('batch_sampler')
    plain = sampler is None or (
        isinstance(sampler, dict) and str(sampler.get('type')).rpartition('.')[2] in _PLAIN_SAMPLERS
        and sampler.get('shuffle', True))
    for name, value in (('sampler', None if plain else sampler), ('batch_sampler', batch_sampler)):
        if value is not None:
            what = value.get('type') if isinstance(value, dict) else value
            warnings.warn(f'{field}.{name}={what!r} is not used: data are shuffled by position, so that training '
                          'can be resumed exactly', stacklevel=3)


def build_positioned_loader(cfg, indices, seed, start_iteration=0, rank=None, world_size=None,
                            field='train_dataloader'):
    """An endless dataloader over ``indices`` that starts at any iteration.

    Args:
        cfg (dict): an mmengine dataloader config whose ``dataset`` is built
            (see :func:`imtnas_mm.datasets.build_dataset`). ``sampler`` and
            ``batch_sampler`` are replaced, with a warning if they were more
            than a plain shuffle. ``collate_fn`` defaults to pseudo_collate.
        indices (sequence of int): the part of the dataset to read.
        seed (int): see :class:`PositionedDataset`.
        start_iteration (int): number of iterations already done.
        rank, world_size (int, optional): default to those of the running job.
        field (str): what to call ``cfg`` in messages.

    Returns:
        torch.utils.data.DataLoader: ``.dataset`` is the PositionedDataset.

    Raises:
        ValueError: ``dataset`` isn't built, no ``batch_size``, or a key that
            has no meaning here.
    """
    cfg = dict(cfg)
    if 'dataset' not in cfg or isinstance(cfg['dataset'], dict):
        raise ValueError(f'{field}.dataset: needs a built dataset; build it with build_dataset(cfg, scope)')
    if 'batch_size' not in cfg:
        raise ValueError(f'{field}.batch_size: missing; give the number of examples a rank and iteration')
    for key in ('num_batch_per_epoch', 'worker_init_fn', 'shuffle', 'generator'):
        if key in cfg:
            raise ValueError(f'{field}.{key}={cfg[key]!r}: has no meaning for an endless, positioned dataloader; '
                             'remove it')
    _warn_if_special(cfg, field)
    dataset = PositionedDataset(cfg['dataset'], indices, seed)
    cfg.update(
        # mmengine deep-copies the config; behind a function the dataset is not copied
        dataset=dict(type=lambda: dataset),
        sampler=PositionSampler(start_iteration, cfg['batch_size'], rank, world_size),
        batch_sampler=None,
        drop_last=False,
        worker_init_fn=dict(type=single_threaded_worker),
        # the loader draws its workers' base seed here, and leaves the global generator alone
        generator=torch.Generator().manual_seed(int(seed)))
    cfg.setdefault('collate_fn', dict(type='pseudo_collate'))
    return watch_workers(Runner.build_dataloader(cfg), field)
