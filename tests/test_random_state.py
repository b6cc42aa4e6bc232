import random

import numpy as np
import pytest
import torch

from imtnas_mm.random_state import isolated_random, noticing_draws, seed_of


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


class Cuda:
    """Stands for torch.cuda with two GPUs: CPU generators, which keep their state on the host as CUDA's do."""
    recording = False  # whether kernels are recorded

    def __init__(self, monkeypatch):
        self.generators = tuple(torch.Generator().manual_seed(i) for i in range(2))
        monkeypatch.setattr(torch.cuda, 'is_initialized', lambda: True)
        monkeypatch.setattr(torch.cuda, 'is_current_stream_capturing', lambda: self.recording)
        monkeypatch.setattr(torch.cuda, 'current_device', lambda: 1)
        monkeypatch.setattr(torch.cuda, 'default_generators', self.generators)

    def draws(self):
        return [torch.rand(1, generator=generator).item() for generator in self.generators]


def test_the_current_gpus_generator_too(monkeypatch):
    cuda = Cuda(monkeypatch)
    found = []
    for _ in range(2):  # as dropout of the first and the second pass
        with isolated_random(1, 2):
            found.append(torch.rand(3, generator=cuda.generators[1]).tolist())
    assert found[0] == found[1]
    assert cuda.draws() == [torch.rand(1, generator=torch.Generator().manual_seed(i)).item() for i in range(2)]


def test_a_gpus_generator_is_restored_whatever_happened_to_it(monkeypatch):
    cuda = Cuda(monkeypatch)
    cuda.draws()
    states = [generator.get_state() for generator in cuda.generators]
    with isolated_random(1), isolated_random(2):
        cuda.generators[1].manual_seed(5)
    assert all(torch.equal(generator.get_state(), state)
               for generator, state in zip(cuda.generators, states, strict=True))


def test_torch_generators_are_seeded_as_by_manual_seed():
    with isolated_random(3, 4):
        found = torch.rand(5)
    torch.manual_seed(seed_of(3, 4))
    assert torch.equal(torch.rand(5), found)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_dropout_on_a_gpu():
    ones = torch.ones(1000, device='cuda')
    state = torch.cuda.get_rng_state()
    found = []
    for key in (7, 7, 8):
        with isolated_random(key):
            found.append(torch.nn.functional.dropout(ones))
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
    assert torch.equal(torch.cuda.get_rng_state(), state)


def test_nothing_is_seeded_while_kernels_are_recorded(monkeypatch):
    """A generator that is seeded then ends the recording with an error; what draws isn't recorded."""
    gpus = Cuda(monkeypatch)
    gpus.recording = True
    before = [generator.get_state() for generator in (torch.default_generator, *gpus.generators)]
    with isolated_random(1, 2):
        for generator, state in zip((torch.default_generator, *gpus.generators), before, strict=True):
            assert torch.equal(generator.get_state(), state)


def test_draws_are_noticed():
    with noticing_draws() as draws:
        with isolated_random(1):
            pass
        assert not draws.noticed
        with isolated_random(1):
            torch.rand(1)
        with isolated_random(2):
            pass
    assert draws.noticed
