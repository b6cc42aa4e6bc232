"""Splits a task's training data into the two halves of a search: for weights and for the architecture."""
import numpy as np

from ..random_state import Purpose, seeded_permutation


def split_indices(num, ratio=.5, seed=0):
    """Split ``range(num)`` into two disjoint parts that cover it.

    Encoder weights and heads learn on the first part, the architecture on the
    second. NumPy's PCG64 draws the permutation from ``seed`` alone, so every
    rank and every resumed run splits in the same way.

    Args:
        num (int): number of examples, at least 2.
        ratio (float): share of the first part, in (0, 1). Its size is
            ``num * ratio`` rounded, but neither part is ever empty.
        seed (int): not negative.

    Returns:
        tuple[ndarray, ndarray]: two sorted int64 arrays, train and val.

    Raises:
        ValueError: ``num`` < 2, ``ratio`` outside (0, 1), or a negative seed.
    """
    if num < 2:
        raise ValueError(f'num={num!r}: a split needs at least 2 examples')
    if not 0 < ratio < 1:
        raise ValueError(f'ratio={ratio!r}: the train share must lie strictly between 0 and 1')
    if seed < 0:
        raise ValueError(f'seed={seed!r}: must not be negative')
    order = seeded_permutation(num, *Purpose.HALVES.key(seed=seed))
    num_train = min(max(round(num * ratio), 1), num - 1)
    return np.sort(order[:num_train]), np.sort(order[num_train:])
