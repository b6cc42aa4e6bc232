"""Pairs of sets, each once: which entries of a matrix they are, and which of them a set is in."""
from functools import lru_cache

import torch
from torch import Tensor

from ..transport import to_device


@lru_cache(maxsize=128)
def pair_positions(num_sets: int, device: torch.device) -> Tensor:
    """The pairs (i, j), i < j, row by row: where they are in a flattened [S, S] matrix, [S (S - 1) / 2]."""
    with torch.inference_mode(False):
        i, j = torch.triu_indices(num_sets, num_sets, offset=1)
        return to_device([i * num_sets + j], device)[0]


@lru_cache(maxsize=128)
def pairs_of_sets(num_sets: int, device: torch.device) -> Tensor:
    """The numbers of the pairs that each set is in, [S, S - 1]; that of (i, j) is i (2 S - i - 1) / 2 + j - i - 1."""
    with torch.inference_mode(False):
        own, other = torch.arange(num_sets)[:, None], torch.arange(max(num_sets - 1, 0))
        other = other + (other >= own)
        i, j = torch.minimum(own, other), torch.maximum(own, other)
        return to_device([i * (2 * num_sets - i - 1) // 2 + j - i - 1], device)[0]


def pairs_of(matrix: Tensor) -> Tensor:
    """The entries above the diagonal, [S, S] -> [S (S - 1) / 2]: every pair of sets once."""
    return matrix.flatten().index_select(0, pair_positions(len(matrix), matrix.device))


def in_any_pair(pairs: Tensor, num_sets: int) -> Tensor:
    """[S (S - 1) / 2] bool of pairs -> [S] bool: the sets that are in one of these."""
    numbers = pairs_of_sets(num_sets, pairs.device)
    return pairs.index_select(0, numbers.flatten()).view(numbers.shape).any(1)
