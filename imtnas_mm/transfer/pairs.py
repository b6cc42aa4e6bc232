"""Indices of all pairs of sets: in a matrix of statistics, and by the sets that they contain."""
from functools import lru_cache

import torch
from torch import Tensor

from ..transport import to_device


@lru_cache(maxsize=128)
def pair_positions(num_sets: int, device: torch.device) -> Tensor:
    """Indices of the pairs (i, j), i < j, in a flattened [S, S] matrix, row by row: [S (S - 1) / 2]."""
    with torch.inference_mode(False):
        i, j = torch.triu_indices(num_sets, num_sets, offset=1)
        return to_device([i * num_sets + j], device)[0]


@lru_cache(maxsize=128)
def pairs_of_sets(num_sets: int, device: torch.device) -> Tensor:
    """The numbers of each set's pairs, [S, S - 1]; the pair (i, j) has number i (2 S - i - 1) / 2 + j - i - 1."""
    with torch.inference_mode(False):
        each, other = torch.arange(num_sets)[:, None], torch.arange(max(num_sets - 1, 0))
        other = other + (other >= each)
        i, j = torch.minimum(each, other), torch.maximum(each, other)
        return to_device([i * (2 * num_sets - i - 1) // 2 + j - i - 1], device)[0]


def pairs_of(matrix: Tensor) -> Tensor:
    """The entries above the diagonal, [S, S] -> [S (S - 1) / 2]: every pair of sets once."""
    return matrix.flatten().index_select(0, pair_positions(len(matrix), matrix.device))


def in_any_pair(pairs: Tensor, num_sets: int) -> Tensor:
    """Flags of pairs [S (S - 1) / 2] -> flags of the sets that are in a flagged pair [S]."""
    numbers = pairs_of_sets(num_sets, pairs.device)
    return pairs.index_select(0, numbers.flatten()).view(numbers.shape).any(1)
