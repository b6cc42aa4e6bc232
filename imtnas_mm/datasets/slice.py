"""DatasetSlice: a random part of a dataset, drawn by a seed."""
import numpy as np
from mmengine.registry import DATASETS as ALL_DATASETS

from ..random_state import Purpose, seeded_permutation
from ..registry import DATASETS
from .checks import DataError


def slice_indices(total, num, seed=0, rest=False):
    """``num`` indices below ``total``, drawn by a seed, or with ``rest`` all others; sorted int64.

    Raises:
        ValueError: unless 0 < ``num`` < ``total`` and the seed isn't negative.
    """
    if not isinstance(num, int) or not 0 < num < total:
        raise ValueError(f'num={num!r}: must be a whole number from 1 to {total - 1}, the dataset has {total} examples')
    if seed < 0:
        raise ValueError(f'seed={seed!r}: must not be negative')
    order = seeded_permutation(total, *Purpose.SLICE.key(seed=seed))
    return np.sort(order[num:] if rest else order[:num])


@DATASETS.register_module(name='DatasetSlice')
def build_slice(dataset, num, seed=0, rest=False):
    """``dataset`` with the examples of :func:`slice_indices` alone.

    A slice and the slice with the same arguments and ``rest=True`` have no
    example in common and leave none out, even with different pipelines.

    Args:
        dataset (dict): config of an mmengine dataset (CIFAR, ImageNet, COCO,
            ...), in the current scope.
    """
    built = ALL_DATASETS.build(dataset)
    if not hasattr(built, 'get_subset_'):
        raise DataError(f'DatasetSlice: {type(built).__name__} has no get_subset_; slice the datasets in it instead')
    built.full_init()
    try:
        built.get_subset_(slice_indices(len(built), num, seed, rest).tolist())
    except (NotImplementedError, ValueError) as error:
        raise DataError(f'DatasetSlice of {type(built).__name__}: {error}') from error
    return built
