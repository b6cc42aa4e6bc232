"""Seeds random numbers by purpose, iteration and the like, so that they don't depend on what ran before."""
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, unique

import numpy as np
import torch


@unique
class Purpose(int, Enum):
    """All purposes of random numbers. Each draw has a key of non-negative integers.

    Each member has its word in the key, and the fields of the key in their order. No two purposes of one run may have
    keys of one form. Checkpoints resume exactly as long as words and forms stay as they are. Words from 100 on are for
    code outside the package.
    """

    def __new__(cls, word: int, form: str) -> 'Purpose':
        member = int.__new__(cls, word)
        member._value_ = word, form
        return member

    def __repr__(self) -> str:
        return str(self)

    # of data
    HALVES = 1, 'purpose seed'  # the examples that train weights, and those that train the architecture
    ORDER = 2, 'purpose seed epoch'  # of the examples of one task, in a search and a joint training
    EXAMPLE = 3, 'purpose seed position'  # random numbers of their pipeline
    SLICE = 4, 'purpose seed'  # the examples of a DatasetSlice
    RETRAIN_ORDER = 5, 'purpose seed epoch'  # random numbers of a sampler
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
        """The key of this purpose; ``fields`` are the values for its form.

        Raises:
            TypeError: the form has other fields.
        """
        names = self.value[1].split()
        if fields.keys() != set(names) - {'purpose'}:
            raise TypeError(f'{self}: got the fields {sorted(fields)}; its key is ({", ".join(names)})')
        return tuple(int(self) if name == 'purpose' else fields[name] for name in names)


def seeded_permutation(number: int, *key: int) -> np.ndarray:
    """A permutation of ``range(number)``, int64, drawn by NumPy's PCG64 from the key alone."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key))).permutation(number)


def seed_of(*key: int) -> int:
    """A 63-bit seed from non-negative integers, such as (seed, iteration, stage); unequal keys give unrelated seeds."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


def seed_generators(*key: int) -> None:
    """Seeds Python's, numpy's and torch's global generators with ``seed_of(*key)``."""
    seed = seed_of(*key)
    _seed_python_and_numpy(seed)
    torch.manual_seed(seed)


@contextmanager
def _put_back(generators: list[torch.Generator]) -> Iterator[None]:
    """Restores the states of python's and numpy's global generators and of torch's ``generators`` at the end."""
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
    """:func:`isolated_random` for the pipelines of some examples, whose transforms draw from all three generators.

    Yields a function that takes the key of an example and starts each generator
    from a separate stream; of torch's generators only the CPU's is seeded.
    """
    with _put_back([torch.default_generator]):
        yield _seed_streams


def _seed_streams(*key: int) -> None:
    words = np.random.SeedSequence(key).generate_state(12)
    random.seed(words[:4].tobytes())
    np.random.seed(words[4:8])
    # torch.manual_seed would reseed the GPUs, too
    torch.default_generator.manual_seed(int(words[8:10].view(np.uint64)[0] >> np.uint64(1)))


@contextmanager
def isolated_random(*key: int) -> Iterator[None]:
    """Inside, python's, numpy's and torch's global generators start from ``seed_of(*key)``; at the end they are
    restored.

    Torch's are the CPU's and, once CUDA is in use, the current GPU's: the same key drops the same units in dropout. The
    host keeps seed and offset of a GPU's generator, so nothing here waits for the GPU. While a GPU's kernels are
    recorded, nothing is seeded: computations that draw aren't recorded (``imtnas_mm.replay``).
    """
    if torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing():
        yield
        return
    generators = [torch.default_generator]
    if torch.cuda.is_initialized():  # torch.manual_seed would queue a seed for every unused kind of device
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
    """Yields :class:`Draws`, which tells at the end whether an :func:`isolated_random` block inside drew any numbers.
    """
    draws = Draws()
    _noticing.append(draws)
    try:
        yield draws
    finally:
        _noticing.remove(draws)
