"""Endless dataloaders of searches and joint trainings, which resume exactly at any iteration.

Position k = 0, 1, 2, ... counts the examples of a task since the run began,
over all ranks. The example at a position depends on the seed and k alone: not
on the number of workers, nor on where the run was resumed, nor on which rank
reads it.
"""
import warnings

import cv2
import numpy as np
import torch
from mmengine.dist import get_dist_info
from mmengine.runner import Runner
from torch.utils.data import Sampler

from ..random_state import Purpose, seeded_permutation
from ..registry import built_before
from .seeded import Position, SeededDataset
from .workers import watch_workers


class EndlessOrder:
    """A part of a dataset, shuffled anew every epoch.

    Position k is example ``indices[permutation(seed, k // n)[k % n]]`` with n =
    ``len(indices)``; its pipeline draws from the key (seed, k).

    Args:
        indices (sequence of int): the part.
        seed (int): not negative; tasks and halves need different seeds.

    Raises:
        ValueError: a negative seed.
    """

    def __init__(self, indices, seed):
        self.indices = np.asarray(indices, dtype=np.int64)
        self.seed = int(seed)
        if self.seed < 0:
            raise ValueError(f'seed={seed!r}: must not be negative')
        self._epoch, self._order = -1, seeded_permutation(0)

    def __getitem__(self, k):
        """:class:`Position` k."""
        k = int(k)
        if k < 0:
            raise IndexError(f'position {k}: must not be negative')
        epoch, place = divmod(k, len(self.indices))
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = seeded_permutation(len(self.indices), *Purpose.ORDER.key(seed=self.seed, epoch=epoch))
        return Position(int(self.indices[self._order[place]]), Purpose.EXAMPLE.key(seed=self.seed, position=k))


class EndlessSampler(Sampler):
    """The positions of one rank, without an end, from some iteration on.

    Iteration t of all ranks together takes positions [t*B*R, (t+1)*B*R); rank r
    yields [t*B*R + r*B, t*B*R + (r+1)*B) of them. B is the batch size per rank,
    R the number of ranks.

    Args:
        order (EndlessOrder): ``order[k]`` is position k.
        start (int): the first iteration.
        batch_size_per_rank (int): B.
        rank, world_size (int, optional): by default of the running job.
    """

    def __init__(self, order, start, batch_size_per_rank, rank=None, world_size=None):
        job_rank, job_world_size = get_dist_info()
        self.order = order
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
            for k in range(first, first + self.batch_size):
                yield self.order[k]
            iteration += 1


def single_threaded_worker(worker_id: int) -> None:
    """Starts a worker without threads of torch or OpenCV, since there are many workers already."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


# These samplers only shuffle all examples, as positions do.
_PLAIN_SAMPLERS = ('DefaultSampler', 'InfiniteSampler')


def _warn_if_special(cfg, field):
    sampler, batch_sampler = cfg.get('sampler'), cfg.get('batch_sampler')
    plain = sampler is None or (
        isinstance(sampler, dict) and str(sampler.get('type')).rpartition('.')[2] in _PLAIN_SAMPLERS
        and sampler.get('shuffle', True))
    for name, value in (('sampler', None if plain else sampler), ('batch_sampler', batch_sampler)):
        if value is not None:
            kind = value.get('type') if isinstance(value, dict) else value
            warnings.warn(f'{field}.{name}={kind!r} is not used: data are shuffled by position, so that training '
                          'can be resumed exactly', stacklevel=3)


def build_endless_loader(cfg, indices, seed, start_iteration=0, rank=None, world_size=None,
                         field='train_dataloader'):
    """An endless dataloader over ``indices`` that starts at any iteration.

    Args:
        cfg (dict): an mmengine dataloader config whose ``dataset`` is built
            (see :func:`imtnas_mm.datasets.build_dataset`). ``sampler`` and
            ``batch_sampler`` are replaced, with a warning unless they only
            shuffle. ``collate_fn`` defaults to pseudo_collate.
        indices (sequence of int): the part of the dataset to read.
        seed (int): see :class:`EndlessOrder`.
        start_iteration (int): number of iterations already done.
        rank, world_size (int, optional): by default of the running job.
        field (str): name of ``cfg`` in messages.

    Returns:
        torch.utils.data.DataLoader: ``.dataset`` is a :class:`SeededDataset`.

    Raises:
        ValueError: ``dataset`` isn't built, ``batch_size`` is missing, or a key
            has no meaning here.
    """
    cfg = dict(cfg)
    if 'dataset' not in cfg or isinstance(cfg['dataset'], dict):
        raise ValueError(f'{field}.dataset: needs a built dataset; build it with build_dataset(cfg, scope)')
    if 'batch_size' not in cfg:
        raise ValueError(f'{field}.batch_size: missing; give the number of examples per rank and iteration')
    for key in ('num_batch_per_epoch', 'worker_init_fn', 'shuffle', 'generator'):
        if key in cfg:
            raise ValueError(f'{field}.{key}={cfg[key]!r}: has no meaning for an endless dataloader; '
                             'remove it')
    _warn_if_special(cfg, field)
    dataset = SeededDataset(cfg['dataset'], indices)
    cfg.update(
        dataset=built_before(dataset),
        sampler=EndlessSampler(EndlessOrder(dataset.part, seed), start_iteration, cfg['batch_size'], rank, world_size),
        batch_sampler=None,
        drop_last=False,
        worker_init_fn=dict(type=single_threaded_worker),
        # the loader draws its workers' base seed from it instead of from the global generator
        generator=torch.Generator().manual_seed(int(seed)))
    cfg.setdefault('collate_fn', dict(type='pseudo_collate'))
    return watch_workers(Runner.build_dataloader(cfg), field)
