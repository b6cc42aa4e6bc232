import itertools

import pytest
import torch

from helpers.device_calls import DeviceCalls
from imtnas_mm.transfer.pairs import in_any_pair, pairs_of


def test_pairs_are_counted_once():
    matrix = torch.arange(16.).view(4, 4)
    assert pairs_of(matrix).tolist() == [1, 2, 3, 6, 7, 11]


@pytest.mark.parametrize('sets', [0, 1, 2, 3, 5])
def test_sets_of_pairs_by_a_plain_loop(sets):
    pairs = list(itertools.combinations(range(sets), 2))
    for chosen in itertools.product([False, True], repeat=len(pairs)) if sets < 5 else torch.rand(20, 10) > .8:
        expected = {s for pair, there in zip(pairs, chosen, strict=True) if there for s in pair}
        actual = in_any_pair(torch.as_tensor(chosen, dtype=torch.bool), sets)
        assert actual.tolist() == [s in expected for s in range(sets)]


def test_derivatives_reach_their_entries():
    matrix = torch.randn(4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(pairs_of, matrix) and torch.autograd.gradgradcheck(pairs_of, matrix)


def test_constants_are_made_once():
    def both():
        in_any_pair(pairs_of(torch.empty(7, 7, device='meta')) > 0, 7)

    both()
    with DeviceCalls() as calls:
        both()
    assert not calls.copied and len(calls.computed) == 4 + 1, calls.computed  # 1: torch.empty
