"""A dataset wrapper that seeds the pipeline for each example, so that training resumes exactly.

The same position gives the same example, whatever was read before, whichever
worker reads it, and wherever the run was resumed.
"""
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from mmengine.dataset import BaseDataset, ConcatDataset
from torch.utils.data import Dataset

from ..compat.datasets import member_of
from ..random_state import isolated_streams
from .checks import DataError
from .interface import BuiltDataset


class Position(NamedTuple):
    """Index of an example in the dataset, and key of the random numbers that its pipeline draws."""
    index: Any  # an int, if the batch sampler has no other indices
    key: tuple[int, ...]


def innermost(dataset: Any, index: Any) -> tuple[Any, Any]:
    """The member of a ConcatDataset that holds an example, and the index there."""
    while isinstance(dataset, ConcatDataset):
        dataset, index = member_of(dataset, index)
    return dataset, index


def prepare(dataset: Any, index: Any) -> Any:
    """An example from the pipeline; None if the pipeline drops it."""
    dataset, index = innermost(dataset, index)
    return dataset.prepare_data(index)


def retries_of(dataset: Any) -> int | None:
    """How often mmengine's dataset tries another example when its pipeline drops one.

    None for a test set, and for wrappers (mmengine's RepeatDataset, mmdet's
    MultiImageMixDataset), which retry by other rules or never.
    """
    if isinstance(dataset, ConcatDataset):
        retries = [retries_of(member) for member in dataset.datasets]
        numbers = [number for number in retries if number is not None]
        return max(numbers) if len(numbers) == len(retries) else None
    plain = isinstance(dataset, BaseDataset) and type(dataset).__getitem__ is BaseDataset.__getitem__
    return dataset.max_refetch if plain and not dataset.test_mode else None


class SeededDataset(Dataset):
    """A dataset that is read by :class:`Position`; its other attributes are those of the wrapped dataset.

    A pipeline may return None, as a crop without an object does. mmengine then
    takes any other example, which would mix the train and validation halves of
    a search; with ``part``, the other example is from the part.

    A transform that keeps a state from item to item (mmdet's CachedMosaic)
    makes items depend on the worker that read them.

    Args:
        dataset: a built mmengine-style dataset; the attribute ``wrapped``.
        part (sequence of int, optional): the examples to read; by default all.

    Raises:
        ValueError: a part without indices, or with one outside the dataset.
        DataError: (when read) the pipeline gave None again and again.
    """

    def __init__(self, dataset: BuiltDataset, part: Sequence[int] | np.ndarray | None = None) -> None:
        retries = None
        if part is not None:
            part = np.asarray(part, dtype=np.int64)
            if part.ndim != 1 or part.size == 0:
                raise ValueError(f'indices: got shape {part.shape}; needs one example or more in a flat sequence')
            if part.min() < 0 or part.max() >= len(dataset):
                raise ValueError(f'indices reach from {part.min()} to {part.max()}; the dataset has {len(dataset)} '
                                 'examples')
            retries = retries_of(dataset)
        self.__dict__.update(wrapped=dataset, part=part, retries=retries)

    def __getattr__(self, name: str) -> Any:
        if name in ('wrapped', 'part', 'retries') or name.startswith('__'):  # unpickling, or torch looks for a hook
            raise AttributeError(name)
        return getattr(self.wrapped, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.wrapped, name, value)

    def __len__(self) -> int:
        return len(self.wrapped if self.part is None else self.part)

    def __getitem__(self, position: Any) -> Any:
        if not isinstance(position, Position):
            return self.wrapped[position]
        return self.__getitems__([position])[0]

    def __getitems__(self, positions):
        """The examples of a batch, as torch's loaders ask for them: the global generators are kept and put back once
        for all of them."""
        if not all(isinstance(position, Position) for position in positions):
            return [self[position] for position in positions]
        items = []
        with isolated_streams() as seed_streams:
            for index, key in positions:
                seed_streams(*key)
                items.append(self.wrapped[index] if self.retries is None else self._read(index))
        return items

    def _read(self, index):
        for _ in range(self.retries + 1):
            item = prepare(self.wrapped, index)
            if item is not None:
                return item
            last, index = index, int(np.random.choice(self.part))
        raise DataError(f'the pipeline returned None {self.retries + 1} times in a row, the last time for '
                        f'{self._name(last)}')

    def _name(self, index):
        dataset, index = innermost(self.wrapped, index)
        try:
            return dataset.get_data_info(index)['img_path']
        except (AttributeError, KeyError, TypeError):  # in-memory sets have no files
            return f'example {index} of {type(dataset).__name__}'
