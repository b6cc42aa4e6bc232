"""Randomness as a function of what it is for, not of what ran before."""
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, unique

import numpy as np
import torch


@unique
class Purpose(int, Enum):
    """All that random numbers are drawn for. A run draws them from keys of non-negative integers.

    Each member has its word in the key, and the fields of the key in their order. No two purposes of one run may have
    keys of one form. Checkpoints resume exactly as long as words and forms stay as they are.
    """

    def __new__(cls, word: int, form: str) -> 'Purpose':
        member = int.__new__(cls, word)
        member._value_ = word, form
        return member

    # of data
    HALVES = 1, 'purpose seed'  # which examples train weights, and which the architecture
    ORDER = 2, 'purpose seed epoch'  # of the examples of one task, in a search and a joint training
    EXAMPLE = 3, 'purpose seed position'  # what their pipeline draws
    SLICE = 4, 'purpose seed'  # which examples a DatasetSlice has
    RETRAIN_ORDER = 5, 'purpose seed epoch'  # what a sampler draws from the global generators
    RETRAIN_EXAMPLE = 6, 'purpose seed rank iteration slot'  # slot: of the example in its batch
    # seeds of a task's data in a search or a joint training
    WEIGHT_BATCHES = 0, 'seed task purpose'
    ARCHITECTURE_BATCHES = 1, 'seed task purpose'
    TRANSFER_IMAGES = 2, 'seed task purpose'
    # of a search
    GATES = 0, 'seed purpose iteration'
    LOSS = 1, 'seed purpose iteration stage rank'
    VIEWS = 2, 'seed purpose iteration stage rank'
    VALIDATION = 3, 'seed purpose iteration stage rank'
    HEADS = 4, 'seed purpose'  # their initial weights
    PREPROCESSING = 5, 'seed purpose batch_purpose iteration index rank'
    # of other trainings
    JOINT_ITERATION = 1, 'seed purpose iteration rank'
    RETRAIN_ITERATION = 0, 'seed rank iteration'

    def key(self, **fields: int) -> tuple[int, ...]:
        """The key with this purpose's word in its place; ``fields`` are the others of its form.

        Raises:
            TypeError: other fields than those of its form.
        """
        names = self.value[1].split()
        if fields.keys() != set(names) - {'purpose'}:
            raise TypeError(f'{self}: got the fields {sorted(fields)}; its key is ({", ".join(names)})')
        return tuple(int(self) if name == 'purpose' else fields[name] for name in names)


def seeded_permutation(number: int, *key: int) -> np.ndarray:
    """A permutation of ``range(number)``, int64, drawn by NumPy's PCG64 from the key alone."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key))).permutation(number)


def seed_of(*key: int) -> int:
    """A 63-bit seed from non-negative integers, such as (seed, iteration, stage): unlike keys give unrelated seeds."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


def seed_generators(*key: int) -> None:
    """Python's, numpy's and torch's global generators start from ``seed_of(*key)``."""
    seed = seed_of(*key)
    _seed_python_and_numpy(seed)
    torch.manual_seed(seed)


@contextmanager
def _put_back(generators: list[torch.Generator]) -> Iterator[None]:
    """After it, python's and numpy's global generators and those of torch in ``generators`` are as they were."""
    states = [generator.get_state() for generator in generators]
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


@contextmanager
def isolated_streams() -> Iterator[Callable[..., None]]:
    """As :func:`isolated_random` for the pipelines of some examples, whose transforms draw from all three generators.

    It yields a function of an example's key, after which each generator starts from a stream of its own; torch's
    is the CPU's alone.
    """
    with _put_back([torch.default_generator]):
        yield _seed_streams


def _seed_streams(*key: int) -> None:
    words = np.random.SeedSequence(key).generate_state(12)
    random.seed(words[:4].tobytes())
    np.random.seed(words[4:8])
    # not torch.manual_seed: it would reseed the GPUs, too
    torch.default_generator.manual_seed(int(words[8:10].view(np.uint64)[0] >> np.uint64(1)))


@contextmanager
def isolated_random(*key: int) -> Iterator[None]:
    """Inside, python's, numpy's and torch's global generators start from ``seed_of(*key)``; after it they are as they
    were.

    Torch's are the CPU's and, once CUDA is in use, the current GPU's: dropout of one key drops the same units whenever
    it runs. A GPU's generator is a seed and an offset that the host keeps, so nothing here waits for the GPU. While a
    GPU's kernels are recorded nothing is seeded: what draws isn't recorded (``imtnas_mm.replay``).
    """
    if torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing():
        yield
        return
    generators = [torch.default_generator]
    if torch.cuda.is_initialized():  # not torch.manual_seed: it queues a seed for every kind of device not in use
        generators.append(torch.cuda.default_generators[torch.cuda.current_device()])
    seed = seed_of(*key)
    with _put_back(generators):
        _seed_python_and_numpy(seed)
        for generator in generators:
            generator.manual_seed(seed)
        begin = [generator.get_state() for generator in generators] if _noticing else []
        yield
        for draws in _noticing:
            draws.noticed |= any(not torch.equal(generator.get_state(), state)
                                 for generator, state in zip(generators, begin, strict=True))


def _seed_python_and_numpy(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)


class Draws:
    """Whether torch's random numbers were drawn."""
    noticed = False


_noticing: list[Draws] = []  # the Draws of the blocks of noticing_draws that are open


@contextmanager
def noticing_draws() -> Iterator[Draws]:
    """Yields :class:`Draws`, which tells at the end whether a block of :func:`isolated_random` inside drew any."""
    draws = Draws()
    _noticing.append(draws)
    try:
        yield draws
    finally:
        _noticing.remove(draws)
