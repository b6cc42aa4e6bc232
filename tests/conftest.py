"""One thread and fixed seeds for every test, and the device of those that compute.

One thread, because sums of floats then come out the same on every machine, tests of 2 ranks and of dataloader workers
don't fight over the cores, and on the tests' small tensors more threads gain nothing. OMP_NUM_THREADS overrides it.
"""
import os

for _name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS'):
    os.environ.setdefault(_name, '1')  # read once, when numpy and torch are first imported

import contextlib  # noqa: E402
import functools  # noqa: E402
import gc  # noqa: E402
import logging  # noqa: E402
import multiprocessing  # noqa: E402
import random  # noqa: E402
from unittest import mock  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402
from mmengine.fileio import load  # noqa: E402

from helpers.devices import host_dropout  # noqa: E402
from helpers.scopes import own_scope  # noqa: E402
from helpers.workers import end_workers  # noqa: E402
from imtnas_mm.precision import float32_products  # noqa: E402

torch.set_num_threads(int(os.environ['OMP_NUM_THREADS']))
# mmengine writes a record of this level for each module that a registry builds: a seventh of the time of a build
logging.disable(logging.DEBUG)

# no deadline: the first call of a torch function takes long; derandomized: a run shows what the last one showed
settings.register_profile('imtnas_mm', deadline=None, derandomize=True)
settings.load_profile('imtnas_mm')


def pytest_addoption(parser):
    parser.addoption(
        '--device', choices=('all', 'cpu', 'cuda', 'pretended'), default='all',
        help='where the tests with a device compute: on the CPU and, where there is one, a GPU (all, the default), on '
             'the CPU alone, on the GPU alone, or on the device of helpers/pretend_cuda.py, which shows without a GPU '
             'whether they handle one; cuda and pretended leave out the tests without a device')


def pytest_configure(config):
    if config.getoption('--device') == 'cuda' and not torch.cuda.is_available():
        pytest.exit('skipped: --device cuda needs a GPU, and PyTorch sees none', returncode=0)


def pytest_generate_tests(metafunc):
    if 'device' in metafunc.fixturenames:
        wanted = metafunc.config.getoption('--device')
        names = [name for name, there in (('cpu', True), ('cuda', torch.cuda.is_available()))
                 if there and wanted in ('all', name)]
        metafunc.parametrize('device', names or [wanted], indirect=True)


def pytest_collection_finish():
    """Garbage collections leave out what the imports made, most of a million objects, and come less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_collection_modifyitems(config, items):
    if config.getoption('--device') in ('cuda', 'pretended'):
        computing = [item for item in items if {'device', 'gpu', 'real_gpu'} & set(getattr(item, 'fixturenames', ()))]
        config.hook.pytest_deselected(items=[item for item in items if item not in computing])
        items[:] = computing


@pytest.fixture
def device(request):
    """torch.device: the CPU, and a GPU where there is one; ``--device`` picks one of them.

    A test asks for it where its subject computes. It makes its tensors there
    (``torch.randn(..., device=device)``), puts models there by ``.to(device)``
    and tensors in lists, tuples and dicts by ``helpers.devices.moved(batch, device)``; raw
    batches stay on the CPU, where dataloaders leave them. A generator is of
    the CPU unless the subject says otherwise. float32 products on the GPU are
    exact ones, not TF32.
    """
    if request.param == 'pretended':
        from helpers.pretend_cuda import pretended_cuda
        with pretended_cuda():
            yield torch.device('cuda')
        return
    device = torch.device(request.param)
    with float32_products(tf32=False) if device.type == 'cuda' else contextlib.nullcontext():
        yield device


@pytest.fixture
def gpu(request):
    """A context that has the device ``cuda``: a GPU's or, without one, that of ``helpers.pretend_cuda``.

    Entered, it gives the :class:`PretendedCuda`, or ``None`` where the GPU is
    real; dropout then draws what it draws on the CPU. For tests that compare
    the two.
    """
    from helpers.pretend_cuda import pretended_cuda

    @contextlib.contextmanager
    def real():
        with float32_products(tf32=False), mock.patch.object(torch.nn.functional, 'dropout', host_dropout):
            yield None

    if not torch.cuda.is_available():
        return pretended_cuda
    if request.config.getoption('--device') == 'cpu':
        pytest.skip('--device cpu: it needs the GPU that is there')
    return real


@pytest.fixture
def real_gpu(request):
    """torch.device: ``cuda``, for tests whose subject the pretended device hasn't; without a GPU they are skipped."""
    if not torch.cuda.is_available() or request.config.getoption('--device') == 'cpu':
        pytest.skip('needs a GPU')
    with float32_products(tf32=False):
        yield torch.device('cuda')


@pytest.fixture(scope='session', autouse=True)
def metafiles_read_once():
    """mmengine reads all metafiles of mmdet for each config that another takes from it, a third of a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmengine.config.utils.load', functools.cache(load))
        yield


@pytest.fixture(autouse=True)
def workers_ended():
    """A test's dataloader workers end with it.

    What a failed run leaves is in cycles with its traceback. Collected there, an
    iterator can't tell its workers to end, and waits 5 seconds for each.
    """
    before = multiprocessing.active_children()
    yield
    end_workers([process for process in multiprocessing.active_children() if process not in before])


@pytest.fixture(autouse=True)
def environment_put_back():
    """What a test leaves in the environment, as a launcher does, isn't there for others, nor are silenced logs."""
    disabled = logging.root.manager.disable
    with mock.patch.dict(os.environ):
        yield
    logging.disable(disabled)


@pytest.fixture(autouse=True)
def scope_put_back():
    """A default scope of mmengine that a test sets isn't there for others."""
    with own_scope():
        yield


@pytest.fixture(autouse=True)
def fixed_seed():
    """The same random numbers in a test whether it runs alone or after others."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
