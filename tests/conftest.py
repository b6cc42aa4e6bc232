"""One thread and fixed seeds for every test.

One thread, because sums of floats then come out the same on every machine, tests of 2 ranks and of dataloader workers
don't fight over the cores, and on the tests' small tensors more threads gain nothing. OMP_NUM_THREADS overrides it.
"""
import os

for _name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS'):
    os.environ.setdefault(_name, '1')  # read once, when numpy and torch are first imported

import random  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

torch.set_num_threads(int(os.environ['OMP_NUM_THREADS']))

# no deadline: the first call of a torch function takes long; derandomized: a run shows what the last one showed
settings.register_profile('imtnas_mm', deadline=None, derandomize=True)
settings.load_profile('imtnas_mm')


@pytest.fixture(autouse=True)
def fixed_seed():
    """The same random numbers in a test whether it runs alone or after others."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
