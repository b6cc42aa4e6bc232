"""The training data of one task k; in a search its parts D_k^tr and D_k^val, and the images for transfer."""
import logging
from collections.abc import Hashable
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.dist import get_world_size
from mmengine.logging import print_log
from torch.utils.data import DataLoader

from ...datasets import DataError, Split, build_dataset, build_endless_loader, raw_images
from ...random_state import Purpose, seed_of


def check_splittable(dataset: object, field: str) -> None:
    """Raises DataError for a wrapper that would put an image into both parts.

    RepeatDataset and ClassBalancedDataset give an image several indices, and so does a ConcatDataset that has a dataset
    twice; MultiImageMixDataset mixes other images into it.
    """
    if isinstance(dataset, ConcatDataset):
        seen: dict[Hashable, int] = {}
        for i, member in enumerate(dataset.datasets):
            check_splittable(member, f'{field}.datasets[{i}]')
            first = seen.setdefault(_ends(member), i)
            if first != i:
                raise DataError(f'{field}.datasets[{i}]: it has the images of datasets[{first}]; a search splits the '
                                'images in two parts, which would share them; list each dataset once')
    elif not isinstance(dataset, BaseDataset):
        raise DataError(f'{field}.type={type(dataset).__name__!r}: a search splits the images in two parts, which it '
                        'would mix; give the dataset that it wraps, or a ConcatDataset of several')


def _ends(dataset: Any) -> Hashable:
    """Number of images, and the first and the last of them: by path, or by its pixels where it has none."""
    infos = [dataset.get_data_info(i) for i in (0, len(dataset) - 1)] if len(dataset) else []
    return len(dataset), *(info.get('img_path') or np.asarray(info['img']).tobytes() for info in infos)


class TrainingSet:
    """One task's training set, and its endless loaders.

    Args:
        name (str): of the task.
        index (int): its place in the order; part of its seeds.
        dataloader (dict): mmengine dataloader config, ``train_dataloader.<name>``.
        scope (str): the library in which its names are looked up.
    """

    def __init__(self, name: str, index: int, dataloader: dict[str, Any], scope: str | None) -> None:
        self.name = name
        self.index = index
        self.scope = scope
        self.field = f'train_dataloader.{name}'
        for key in ('dataset', 'batch_size'):
            if key not in dataloader:
                raise ValueError(f'{self.field}.{key} is missing')
        if dataloader['batch_size'] < 1:
            raise ValueError(f'{self.field}.batch_size={dataloader["batch_size"]} must be at least 1')
        self.cfg = {key: value for key, value in dataloader.items() if key != 'dataset'}
        self.dataset = build_dataset(dataloader['dataset'], scope, f'{self.field}.dataset')
        self.train_indices = range(len(self.dataset))  # examples that train the weights

    @property
    def batches_per_epoch(self) -> int:
        """Number of full batches, of all ranks together."""
        return max(len(self.train_indices) // (self.cfg['batch_size'] * get_world_size()), 1)

    def _loader(self, dataset, indices, purpose, seed, start, **changes):
        # a GPU copies pinned memory while the host goes on; without a GPU PyTorch warns about pinning
        pinned = dict(pin_memory=torch.cuda.is_available())
        return build_endless_loader(
            {**pinned, **self.cfg, 'dataset': dataset, **changes},
            indices,
            seed_of(*purpose.key(seed=seed, task=self.index)) % 2**32,
            start,
            field=self.field)

    def train_loader(self, seed: int, start: int) -> DataLoader:
        """Batches from the ``start``-th on."""
        return self._loader(self.dataset, self.train_indices, Purpose.WEIGHT_BATCHES, seed, start)


class TaskData(TrainingSet):
    """One task's training set in two seeded parts, D_k^tr and D_k^val.

    Args:
        name, index, dataloader, scope: of :class:`TrainingSet`.
        split (Split): of the set.
    """

    def __init__(self, name: str, index: int, dataloader: dict[str, Any], scope: str | None, split: Split) -> None:
        super().__init__(name, index, dataloader, scope)
        check_splittable(self.dataset, f'{self.field}.dataset')
        if len(self.dataset) < 2:
            raise DataError(f'{self.field}.dataset: has {len(self.dataset)} example; the parts that train weights and '
                            'architecture need at least one each')
        self.split = split
        try:
            self.train_indices, self.val_indices = split.indices(len(self.dataset))
        except ValueError as error:
            raise DataError(f'train_cfg.split of {name}: {error}, in {self.field}.dataset') from error
        self._warn_of_repeats()
        self.examples = raw_images(self.dataset, f'{self.field}.dataset')

    def _warn_of_repeats(self):
        batch = self.cfg['batch_size'] * get_world_size()
        for use, indices in (('for its weights', self.train_indices), ('for the architecture', self.val_indices)):
            if len(indices) < batch:
                print_log(f'{self.field}.batch_size={self.cfg["batch_size"]}: {batch} examples over all processes, but '
                          f'the part {use} has {len(indices)}: a batch shows some of them again', 'current',
                          logging.WARNING)

    def check_examples(self, number: int) -> None:
        """Raise DataError unless D^tr has ``number`` images for a transfer."""
        if len(self.train_indices) < number:
            raise DataError(f'model.transfer.num_examples={2 * number} takes {number} images of each task, but '
                            f'{self.field}.dataset has {len(self.train_indices)} in the part that trains weights')

    def architecture_loader(self, seed: int, start: int, unroll_batch: str) -> DataLoader:
        """Batches on which A is judged, from D^val or D^tr (``val``, ``train``); as in DARTS, by the training
        pipeline."""
        indices = dict(val=self.val_indices, train=self.train_indices)[unroll_batch]
        return self._loader(self.dataset, indices, Purpose.ARCHITECTURE_BATCHES, seed, start)

    def example_loader(self, seed: int, start: int, batch_size: int) -> DataLoader:
        """Raw images of D^tr, for transfer."""
        return self._loader(
            self.examples, self.train_indices, Purpose.TRANSFER_IMAGES, seed, start, batch_size=batch_size,
            collate_fn=dict(type='pseudo_collate'))
