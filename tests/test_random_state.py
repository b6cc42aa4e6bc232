"""Random numbers are functions of keys, and leave no trace in the global generators."""
import random

import numpy as np
import pytest
import torch

from imtnas_mm.datasets import EndlessOrder, SeededDataset, Split, slice_indices
from imtnas_mm.random_state import (
    Purpose,
    isolated_random,
    isolated_streams,
    noticing_draws,
    seed_generators,
    seed_of,
)


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
    actual = []
    for _ in range(2):  # as dropout of the first and the second pass
        with isolated_random(1, 2):
            actual.append(torch.rand(3, generator=cuda.generators[1]).tolist())
    assert actual[0] == actual[1]
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
        actual = torch.rand(5)
    torch.manual_seed(seed_of(3, 4))
    assert torch.equal(torch.rand(5), actual)


def test_dropout_on_a_gpu(real_gpu):
    ones = torch.ones(1000, device=real_gpu)
    state = torch.cuda.get_rng_state()
    actual = []
    for key in (7, 7, 8):
        with isolated_random(key):
            actual.append(torch.nn.functional.dropout(ones))
    assert torch.equal(actual[0], actual[1]) and not torch.equal(actual[0], actual[2])
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


@pytest.mark.parametrize('purpose', Purpose, ids=lambda purpose: purpose.name)
def test_a_key_has_the_fields_of_its_purpose(purpose):
    fields = {name: 10 + i for i, name in enumerate(purpose.value[1].split()) if name != 'purpose'}
    key = purpose.key(**fields)
    assert [word for word in key if word >= 10] == list(fields.values())
    assert [word for word in key if word < 10] == [int(purpose)] * (len(key) - len(fields))
    with pytest.raises(TypeError, match='got the fields .*its key is'):
        purpose.key(**fields, colour=1)
    assert seed_of(purpose, 1) == seed_of(int(purpose), 1)  # a member is its word
    assert repr(purpose) == f'Purpose.{purpose.name}'


def test_keys_of_checkpoints():
    """Another word or place would have a resumed run draw other numbers."""
    assert Purpose.HALVES.key(seed=7) == (1, 7) and Purpose.SLICE.key(seed=7) == (4, 7)
    assert Purpose.ORDER.key(seed=7, epoch=3) == (2, 7, 3) and Purpose.EXAMPLE.key(seed=7, position=9) == (3, 7, 9)
    assert Purpose.RETRAIN_ORDER.key(seed=7, epoch=3) == (5, 7, 3)
    assert Purpose.RETRAIN_EXAMPLE.key(seed=7, rank=1, iteration=9, slot=2) == (6, 7, 1, 9, 2)
    assert Purpose.RETRAIN_ITERATION.key(seed=7, rank=1, iteration=9) == (7, 1, 9)
    assert Purpose.JOINT_ITERATION.key(seed=7, iteration=9, rank=2) == (7, 1, 9, 2)
    of_tasks = Purpose.WEIGHT_BATCHES, Purpose.ARCHITECTURE_BATCHES, Purpose.TRANSFER_IMAGES
    assert [purpose.key(seed=7, task=5) for purpose in of_tasks] == [(7, 5, 0), (7, 5, 1), (7, 5, 2)]
    assert Purpose.GATES.key(seed=7, iteration=9) == (7, 0, 9) and Purpose.HEADS.key(seed=7) == (7, 4)
    assert [int(purpose) for purpose in (Purpose.LOSS, Purpose.VIEWS, Purpose.VALIDATION, Purpose.PREPROCESSING)] == [
        1, 2, 3, 5]


# by commit c487929; other numbers here, and a search that was stopped goes on with other data or paths
DRAWN = dict(
    HALVES=([1, 5, 6, 7], [0, 2, 3, 4]),
    ORDER=(2, 5, 0, 1, 3, 4),
    EXAMPLE=(3, 455678, 84712, 969771),
    SLICE=[3, 4, 7],
    RETRAIN_ORDER=(245936, 999261, 191402),
    RETRAIN_EXAMPLE=(964650, 274897, 139006),
    WEIGHT_BATCHES=501302448,
    ARCHITECTURE_BATCHES=4202327394,
    TRANSFER_IMAGES=571367125,
    GATES=(835545, 876885, 530853),
    LOSS=(442987, 989096, 668520),
    VIEWS=(202521, 374729, 65865),
    VALIDATION=(547797, 349693, 154621),
    HEADS=(108756, 367535, 181487),
    PREPROCESSING=(48282, 151930, 640634),
    JOINT_ITERATION=(623239, 551149, 989549),
    RETRAIN_ITERATION=(342810, 369556, 893396))


class Drawing(list):
    """A dataset whose examples are their index and what is drawn for them."""

    def __getitem__(self, index):
        return index, *drawn_numbers()


def drawn_numbers():
    return random.randrange(1000000), int(np.random.randint(1000000)), int(torch.randint(1000000, (1, )))


def within(context):
    with context:
        return drawn_numbers()


def drawn(purpose):
    """What the package draws for a purpose from seed 7, at iteration or position 9, epoch 3, stage or slot 2."""
    order = EndlessOrder(range(6), 7)
    fields = dict(seed=7, iteration=9, epoch=3, stage=2, index=2, slot=2, rank=1, task=5, batch_purpose=1, position=9)
    if purpose is Purpose.JOINT_ITERATION:
        fields['rank'] = 2
    key = purpose.key(**{name: fields[name] for name in purpose.value[1].split() if name != 'purpose'})
    match purpose.name:
        case 'HALVES':
            return tuple(part.tolist() for part in Split(.5, seed=7).indices(8))
        case 'SLICE':
            return slice_indices(10, 3, 7).tolist()
        case 'ORDER':
            return tuple(order[3 * 6 + place].index for place in range(6))
        case 'EXAMPLE':
            return SeededDataset(Drawing(range(6)), range(6))[order[9]]
        case 'WEIGHT_BATCHES' | 'ARCHITECTURE_BATCHES' | 'TRANSFER_IMAGES':
            return seed_of(*key) % 2**32
        case 'RETRAIN_ORDER' | 'RETRAIN_EXAMPLE':
            with isolated_streams() as seed_streams:
                seed_streams(*key)
                return drawn_numbers()
        case 'RETRAIN_ITERATION':
            with isolated_random(0):
                seed_generators(*key)
                return drawn_numbers()
        case 'GATES':
            generator = torch.Generator().manual_seed(seed_of(*key))
            return tuple(torch.randint(1000000, (3, ), generator=generator).tolist())
    return within(isolated_random(*key))


@pytest.mark.parametrize('purpose', Purpose, ids=lambda purpose: purpose.name)
def test_drawn_values_are_those_of_before(purpose):
    assert drawn(purpose) == DRAWN[purpose.name]
