"""Lets dataloader workers survive a SIGTERM to the job, and names the dataloader whose worker died."""
import os
import re
import signal
import threading
import weakref
from contextlib import contextmanager
from functools import partial

from ..compat.loaders import on_start_of_workers

_LOADERS = weakref.WeakKeyDictionary()  # dataloader -> its name in the config
_NAMES = {}  # process id of a worker -> name of its dataloader


class WorkerError(RuntimeError):
    """A worker process of a dataloader died; the message names the dataloader and says what to do."""


def _start(inner, worker_id):
    if hasattr(signal, 'sigwaitinfo'):  # macOS has none
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # for the thread alone
        threading.Thread(target=_outlast, args=(os.getppid(), ), daemon=True).start()
    if inner is not None:
        inner(worker_id)


def _outlast(parent):
    """Ignores SIGTERM unless the parent sends it.

    It often goes to all processes of a job, and the main process still needs its workers to end the iteration.
    """
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)


def _exists(pid):
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):  # PermissionError: the id is another user's process now
        return False
    return True


def _note_workers(loader, pids):
    for pid in [pid for pid in _NAMES if not _exists(pid)]:
        del _NAMES[pid]
    _NAMES.update((pid, _LOADERS[loader()]) for pid in pids)


def watch_workers(loader, name):
    """Makes workers of ``loader`` survive a SIGTERM, and :func:`named_worker_deaths` call the loader ``name``.

    Returns:
        DataLoader: ``loader``.
    """
    if loader not in _LOADERS:
        loader.worker_init_fn = partial(_start, loader.worker_init_fn)
        on_start_of_workers(loader, partial(_note_workers, weakref.ref(loader)))
    _LOADERS[loader] = name
    return loader


@contextmanager
def named_worker_deaths():
    """Turns torch's error for a dead worker into a :class:`WorkerError` that names the dataloader."""
    try:
        yield
    except RuntimeError as error:
        died = re.search(r'DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\)', str(error))
        if died is None:
            raise
        names = sorted({_NAMES.get(int(pid), 'a dataloader') for pid in died[1].split(',')})
        raise WorkerError(
            f'{", ".join(names)}: a worker process died, and the run stops: {str(error).strip()}. A kill that nobody '
            f'gave mostly means that memory ran out: set a lower {names[0]}.num_workers or batch_size, or give the job '
            'more memory; num_workers=0 shows an error of the data itself. --resume goes on from the last checkpoint'
        ) from error
