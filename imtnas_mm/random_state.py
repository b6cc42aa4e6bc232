"""Randomness as a function of what it is for, not of what ran before."""
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_of(*key: int) -> int:
    """A 63-bit seed from non-negative integers, such as (seed, iteration, stage): unlike keys give unrelated seeds."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


def seed_generators(*key: int) -> None:
    """Python's, numpy's and torch's global generators start from ``seed_of(*key)``."""
    seed = seed_of(*key)
    _seed_python_and_numpy(seed)
    torch.manual_seed(seed)


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
    states = [generator.get_state() for generator in generators]
    python_state, numpy_state = random.getstate(), np.random.get_state()
    seed = seed_of(*key)
    try:
        _seed_python_and_numpy(seed)
        for generator in generators:
            generator.manual_seed(seed)
        begin = [generator.get_state() for generator in generators] if _noticing else []
        yield
        for draws in _noticing:
            draws.noticed |= any(not torch.equal(generator.get_state(), state)
                                 for generator, state in zip(generators, begin, strict=True))
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


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
