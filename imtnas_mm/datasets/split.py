"""Splits a task's training data into the two parts of a search: for weights and for the architecture."""
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..random_state import Purpose, seeded_permutation

FIELDS = ('ratio', 'train', 'val', 'seed')


@dataclass(frozen=True)
class Split:
    """How a training set is split: ``ratio`` halves all of it, ``train`` and ``val`` take parts and leave the rest out.

    Args:
        ratio (float): share of D^tr, in (0, 1); D^val is the rest.
        train, val (float | int): sizes of D^tr and D^val in the place of
            ``ratio``: a share in (0, 1), or a number of examples from 1.
        seed (int): of the draw, not negative.

    Raises:
        ValueError: for other values; it names the field.
    """
    ratio: float | None = .5
    train: float | int | None = None
    val: float | int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.train is None) != (self.val is None):
            raise ValueError(f'train={self.train!r}, val={self.val!r}: both sizes are needed, or ratio alone')
        if self.train is None:
            if not isinstance(self.ratio, float | int) or not 0 < self.ratio < 1:
                raise ValueError(f'ratio={self.ratio!r}: the train share must lie strictly between 0 and 1')
        elif self.ratio is not None:
            raise ValueError(f'ratio={self.ratio!r}: it is in the place of train and val; take one or the other')
        else:
            for name in ('train', 'val'):
                size = getattr(self, name)
                if isinstance(size, bool) or not (isinstance(size, int) and size > 0
                                                  or isinstance(size, float) and 0 < size < 1):
                    raise ValueError(f'{name}={size!r}: must be a share between 0 and 1, or a number of examples from '
                                     '1')
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f'seed={self.seed!r}: must not be negative, and a whole number')

    def sizes(self, num: int) -> tuple[int, int]:
        """The sizes of D^tr and D^val of ``num`` examples: shares are rounded, and no part is empty.

        Raises:
            ValueError: there are fewer examples than the parts take, or than 2.
        """
        if num < 2:
            raise ValueError(f'num={num!r}: a split needs at least 2 examples')
        if self.train is None or self.val is None:
            assert self.ratio is not None
            num_train = min(max(round(num * self.ratio), 1), num - 1)
            return num_train, num - num_train
        num_train, num_val = (size if isinstance(size, int) else max(round(num * size), 1)
                              for size in (self.train, self.val))
        if num_train + num_val > num:
            raise ValueError(f'train={self.train!r}, val={self.val!r}: these are {num_train} + {num_val} examples, and '
                             f'there are {num}')
        return num_train, num_val

    def indices(self, num: int) -> tuple[np.ndarray, np.ndarray]:
        """Two disjoint parts of ``range(num)``, sorted int64: for weights and heads, and for the architecture.

        NumPy's PCG64 draws the permutation from ``seed`` alone, so every rank
        and every resumed run splits in the same way.

        Raises:
            ValueError: as :meth:`sizes`.
        """
        num_train, num_val = self.sizes(num)
        order = seeded_permutation(num, *Purpose.HALVES.key(seed=self.seed))
        return np.sort(order[:num_train]), np.sort(order[num_train:num_train + num_val])


def splits_of(options: Mapping[str, Any] | None, names: tuple[str, ...], field: str) -> dict[str, Split]:
    """The split of each task.

    Args:
        options (dict, optional): fields of :class:`Split`, and ``tasks``: task
            -> its fields, which go before those of all tasks.
        names (tuple[str]): of the tasks.
        field (str): the place of ``options`` in the config, for messages.

    Raises:
        ValueError: an unknown field, task or value; it names the place.
    """
    common = dict(options or {})
    by_task = dict(common.pop('tasks', None) or {})
    for name in by_task:
        if name not in names:
            raise ValueError(f'{field}.tasks.{name}: the search has no such task; it has {", ".join(names)}')
    splits = {}
    for name in names:
        place, changes = (f'{field}.tasks.{name}', dict(by_task[name])) if name in by_task else (field, {})
        merged = dict(common)
        if {'train', 'val'} & set(changes):
            merged.pop('ratio', None)
        elif 'ratio' in changes:
            merged = {key: value for key, value in merged.items() if key not in ('train', 'val')}
        merged.update(changes)
        if {'train', 'val'} & set(merged):
            merged.setdefault('ratio', None)
        for key in merged:
            if key not in FIELDS:
                raise ValueError(f'{place} has {sorted(merged)}; it takes ratio and seed, or train, val and seed' + (
                    '' if place != field else '; and tasks'))
        try:
            splits[name] = Split(**merged)
        except ValueError as error:
            raise ValueError(f'{place}.{error}') from error
    return splits
