"""Checkpoints are read as tensors and plain values; one that would run code is refused.

mmengine's loaders fall back to unpickling anything when the safe reading
fails, and among what it calls safe is ``getattr``, by which a pickle reaches
all there is. :func:`install` puts loaders that don't in their places, for
whatever goes through mmengine's ``CheckpointLoader``: resuming, testing,
``load_from`` and ``init_cfg=dict(type='Pretrained', ...)``.
"""
import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Self

import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader, checkpoint

from ..safetensors_file import SUFFIX, read_safetensors
from .private import LIBRARIES, Private

NAMES = (
    Private(
        'mmengine.runner.CheckpointLoader._schemes', '',
        'the loaders by scheme; all of them are wrapped, since mmengine falls back to running what a pickle asks for',
        seen=LIBRARIES),
    Private(
        'mmengine.runner.CheckpointLoader._get_checkpoint_loader', '', 'which loader reads an address', seen=LIBRARIES),
    Private(
        'mmengine.runner.checkpoint.get_torch_safe_globals', '',
        'replaced: among what it gives is getattr, by which a pickle reaches all there is', seen=LIBRARIES),
)


def load_safely(path: str | Path, map_location: Any = 'cpu') -> Any:
    """``torch.load`` of tensors, plain values and what mmengine's own checkpoints hold; or a safetensors file.

    Raises:
        UnpicklingError: if the file holds anything else; none of it was run.
        OSError, RuntimeError, EOFError: if it is no checkpoint at all.
    """
    path = Path(path).expanduser()
    if path.suffix == SUFFIX:
        return read_safetensors(path, map_location)
    with _safe_globals(), _explained(path):
        return _without_code(torch.load(path, map_location=map_location, weights_only=True))


def _without_code(saved: Any) -> Any:
    """``meta.config`` is a config's text in old checkpoints, which mmengine runs as Python when it resumes from one."""
    if isinstance(saved, dict) and isinstance(saved.get('meta'), dict):
        saved['meta'].pop('config', None)
    return saved


def _history_method(owner: Any, name: str) -> Any:
    """``getattr`` as far as the pickle of a HistoryBuffer needs it."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise UnpicklingError(f'it takes the attribute {name!r} of {owner!r}')
    return getattr(owner, name)


_of_mmengine = checkpoint.get_torch_safe_globals


def safe_globals() -> list:
    """What mmengine calls safe, with a ``getattr`` that is."""
    known = [entry for entry in _of_mmengine() if entry is not getattr]
    return [*known, (_history_method, 'builtins.getattr')]


def _safe_globals() -> Any:
    return torch.serialization.safe_globals(safe_globals())


class _explained:
    """Turns torch's page on ``weights_only`` into one line, which doesn't advise to switch it off."""

    def __init__(self, path: str | Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if isinstance(error, UnpicklingError):
            lines = str(error).rpartition('WeightsUnpickler error:')[2].strip().splitlines() or ['damaged']
            reason = next((line.strip() for line in lines if 'GLOBAL' in line), lines[0])
            raise UnpicklingError(f'{self.path}: refused, for it is not only tensors and plain values, and could run '
                                  f'code: {reason}') from None


def load_from_local(filename: str, map_location: Any = None) -> Any:
    """mmengine's loader of files, without its fallback."""
    return load_safely(filename, map_location)


@contextmanager
def _weights_alone() -> Iterator[None]:
    """Inside, every ``torch.load`` has ``weights_only=True``, whatever its caller asks for."""
    name = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
    before = os.environ.get(name)
    os.environ[name] = '1'
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _safe(loader: Callable[..., Any]) -> Any:
    """A loader of another scheme (a URL, a model zoo), under which no ``torch.load`` unpickles code."""

    @functools.wraps(loader)
    def load(filename: str, map_location: Any = None, **kwargs: Any) -> Any:
        with _weights_alone(), _safe_globals(), _explained(filename):
            return _without_code(loader(filename, map_location, **kwargs))

    _mark_safe(load)
    return load


def _mark_safe(loader: Any) -> None:
    loader.is_safe = True


_mark_safe(load_from_local)


def install() -> None:
    """Put the safe loaders in the places of mmengine's, for the rest of this process."""
    checkpoint.get_torch_safe_globals = safe_globals  # the loaders of the other schemes ask it
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        if not getattr(loader, 'is_safe', False):
            CheckpointLoader.register_scheme(prefix, _safe(loader) if prefix else load_from_local, force=True)


def load_checkpoint(path: str | Path, map_location: Any = 'cpu') -> Any:
    """The content of a checkpoint, by the loader of its scheme (a file, a URL, a model zoo), which runs no code of it.

    It needs no :func:`install`.

    Raises:
        UnpicklingError: if it holds anything but tensors, plain values and what mmengine's own checkpoints hold.
    """
    loader: Any = CheckpointLoader._get_checkpoint_loader(str(path))
    known, checkpoint.get_torch_safe_globals = checkpoint.get_torch_safe_globals, safe_globals
    try:
        if not getattr(loader, 'is_safe', False):
            loader = load_from_local if loader is CheckpointLoader._schemes[''] else _safe(loader)
        return loader(str(path), map_location)
    finally:
        checkpoint.get_torch_safe_globals = known
