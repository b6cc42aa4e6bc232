import random

import numpy as np
import torch

from imtnas_mm.random_state import isolated_random, seed_of


def draws():
    return random.random(), np.random.rand(), torch.rand(1).item()


def test_inside_is_a_function_of_the_key():
    with isolated_random(1, 2, 3):
        first = draws()
    draws()
    with isolated_random(1, 2, 3):
        assert draws() == first
    with isolated_random(1, 2, 4):
        assert all(a != b for a, b in zip(draws(), first, strict=True))


def test_outside_is_as_if_it_had_not_been():
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    expected = draws()
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    with isolated_random(5):
        draws()
    assert draws() == expected


def test_state_is_restored_after_an_error():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    try:
        with isolated_random(5):
            torch.rand(3)
            raise KeyError
    except KeyError:
        pass
    assert torch.equal(torch.get_rng_state(), state)


def test_neighbouring_keys_give_unlike_seeds():
    seeds = {seed_of(a, b) for a in range(30) for b in range(30)}
    assert len(seeds) == 900
    assert seed_of(1, 2) != seed_of(2, 1)
