"""Checks the work dir and the data before a run, and makes errors in the run name the file or dataloader."""
import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.config import Config

from ...datasets import check_dataset, check_evaluator
from ...datasets.workers import named_worker_deaths
from ...tasks.joint_model import is_joint
from .complete import complete_classes
from .config import is_search
from .process_group import job_rank


def make_work_dir(path: str) -> None:
    """Make the folder; raises ValueError if no file can be written to it."""
    try:
        os.makedirs(path, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(b'0')
    except OSError as error:
        raise ValueError(f'{path} cannot be written to ({error.strerror}); checkpoints and logs need a folder that '
                         'can') from error


def check_work_dir(path: str) -> None:
    """Make the folder, and exit if no file can be written to it."""
    try:
        make_work_dir(path)
    except ValueError as error:
        raise SystemExit(f'--work-dir: {error}') from error


def check_future_work_dir(path: str) -> None:
    """Raises ValueError if :func:`check_work_dir` would exit; makes nothing."""
    folder = os.path.abspath(path)
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f'--work-dir: {path}: {folder} is no folder that can be written to; checkpoints and logs need '
                         'one')


@contextmanager
def named_faults(work_dir: str) -> Iterator[None]:
    """Inside, the error of a dead worker names its dataloader, and that of a full disk names the work dir."""
    try:
        with named_worker_deaths():
            yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) or error.filename is not None:
            raise
        raise OSError(error.errno, f'{error.strerror}: a log or a picture could not be written, and the run stops; its '
                      'checkpoints are kept, and --resume goes on from the last one', work_dir) from error


def check_data(cfg: Config, *parts: str) -> list[str]:
    """Check the data of ``parts`` ('train', 'val', 'test') of a config of mmdet or mmpretrain.

    Class names that the config leaves to its data are filled in first.

    The loops of a search and of a joint training check their data themselves.

    Returns:
        list[str]: lines on data that these datasets leave out, for
        :func:`~imtnas_mm.datasets.log_dropped` once the run has its log.
    """
    dropped = []
    complete_classes(cfg, parts[0])
    if is_search(cfg) or is_joint(cfg) or job_rank(cfg.launcher):  # one process is enough
        return dropped
    for part in parts:
        loader: Any = cfg.get(f'{part}_dataloader') or {}
        if 'dataset' in loader:  # the loops report a missing one
            dropped += check_dataset(
                loader.dataset, cfg.get('default_scope', 'mmengine'), f'{part}_dataloader.dataset')
            check_evaluator(cfg.get(f'{part}_evaluator') or {}, f'{part}_evaluator')
    return dropped
