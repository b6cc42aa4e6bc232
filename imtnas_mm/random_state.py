"""Randomness as a function of what it is for, not of what ran before."""
import random
from contextlib import contextmanager

import numpy as np
import torch


def seed_of(*key):
    """A 63-bit seed from non-negative integers, such as (seed, iteration, stage): unlike keys give unrelated seeds."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


def seed_generators(*key):
    """Python's, numpy's and torch's global generators start from ``seed_of(*key)``."""
    seed = seed_of(*key)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@contextmanager
def isolated_random(*key):
    """Inside, python's, numpy's and torch's global generators start from ``seed_of(*key)``; after it they are as they
    were."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() and torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        seed_generators(*key)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
