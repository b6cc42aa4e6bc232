"""Loads checkpoints as tensors and plain values, and refuses a checkpoint that would run code.

mmengine's loaders unpickle anything if safe loading fails, and they call
``getattr`` safe, by which a pickle reaches any function. :func:`install`
replaces them for everything that uses mmengine's ``CheckpointLoader``:
resuming, testing, ``load_from`` and ``init_cfg=dict(type='Pretrained', ...)``.
"""
import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from types import TracebackType
from typing import Any, Self

import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader, checkpoint
from torch.serialization import MAP_LOCATION

from ..files.exported_graph import SUFFIXES as GRAPH_SUFFIXES
from ..files.exported_graph import read_graph_meta
from ..files.safetensors_format import SUFFIX, read_safetensors
from .modules import with_metadata
from .private import LIBRARIES, Private

NAMES = (
    Private(
        'mmengine.runner.CheckpointLoader._schemes', '',
        'the loaders by scheme; all are wrapped, since mmengine falls back to running the code in a pickle',
        seen=LIBRARIES),
    Private(
        'mmengine.runner.CheckpointLoader._get_checkpoint_loader', '', 'which loader reads an address', seen=LIBRARIES),
    Private(
        'mmengine.runner.checkpoint.get_torch_safe_globals', '',
        'replaced: it allows getattr, by which a pickle reaches any function', seen=LIBRARIES),
)


def load_safely(path: str | Path, map_location: MAP_LOCATION = 'cpu') -> Any:
    """``torch.load`` of tensors, plain values and the objects in mmengine's checkpoints; or a safetensors file.

    The file of a graph (``.onnx``, ``.pt2``) has ``meta`` and no entries.

    Raises:
        UnpicklingError: if the file holds anything else, which is not run.
        OSError, RuntimeError, EOFError: if the file is no checkpoint.
    """
    path = Path(path).expanduser()
    if path.suffix in GRAPH_SUFFIXES:
        return read_graph_meta(path)
    if path.suffix == SUFFIX:
        content = read_safetensors(path, map_location)
        return dict(content, state_dict=with_metadata(content['state_dict'], content.pop('modules', {})))
    with _safe_globals(), _explained(path):
        return _without_code(torch.load(path, map_location=map_location, weights_only=True))


def _without_code(saved: Any) -> Any:
    """Drops ``meta.config``, a config's text in old checkpoints, which mmengine would run as Python when resuming."""
    if isinstance(saved, dict) and isinstance(saved.get('meta'), dict):
        saved['meta'].pop('config', None)
    return saved


def _history_method(owner: Any, name: str) -> Any:
    """``getattr`` for the pickle of a HistoryBuffer alone."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise UnpicklingError(f'it takes the attribute {name!r} of {owner!r}')
    return getattr(owner, name)


_of_mmengine = checkpoint.get_torch_safe_globals


def safe_globals() -> list:
    """mmengine's list of safe objects, with :func:`_history_method` in place of ``getattr``."""
    known = [entry for entry in _of_mmengine() if entry is not getattr]
    return [*known, (_history_method, 'builtins.getattr')]


def _safe_globals() -> Any:
    return torch.serialization.safe_globals(safe_globals())


class _explained:
    """Shortens torch's long message on ``weights_only`` to one line, without its advice to switch it off."""

    def __init__(self, path: str | Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        if isinstance(error, UnpicklingError):
            lines = str(error).rpartition('WeightsUnpickler error:')[2].strip().splitlines() or ['damaged']
            reason = next((line.strip() for line in lines if 'GLOBAL' in line), lines[0])
            raise UnpicklingError(f'{self.path}: refused: it holds more than tensors and plain values, and could run '
                                  f'code: {reason}') from None


def load_from_local(filename: str, map_location: MAP_LOCATION = None) -> Any:
    """mmengine's loader of files, without the fallback to unpickling."""
    return load_safely(filename, map_location)


@contextmanager
def _weights_alone() -> Iterator[None]:
    """Inside, every ``torch.load`` has ``weights_only=True``, even if its caller passes False."""
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
    """Wraps a loader of another scheme (a URL, a model zoo), so that no ``torch.load`` in it unpickles code."""

    @functools.wraps(loader)
    def load(filename: str, map_location: MAP_LOCATION = None, **kwargs: Any) -> Any:
        with _weights_alone(), _safe_globals(), _explained(filename):
            return _without_code(loader(filename, map_location, **kwargs))

    _mark_safe(load)
    return load


def _mark_safe(loader: Any) -> None:
    loader.is_safe = True


_mark_safe(load_from_local)


def install() -> None:
    """Replace mmengine's loaders by safe ones for the rest of this process."""
    checkpoint.get_torch_safe_globals = safe_globals  # loaders of other schemes call it
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        if not getattr(loader, 'is_safe', False):
            CheckpointLoader.register_scheme(prefix, _safe(loader) if prefix else load_from_local, force=True)


def load_checkpoint(path: str | Path, map_location: MAP_LOCATION = 'cpu') -> Any:
    """The content of a checkpoint (a file, a URL, an entry of a model zoo), loaded without running its code.

    It needs no :func:`install`.

    Raises:
        UnpicklingError: if it holds anything but tensors, plain values and the objects in mmengine's checkpoints.
    """
    loader: Any = CheckpointLoader._get_checkpoint_loader(str(path))
    known, checkpoint.get_torch_safe_globals = checkpoint.get_torch_safe_globals, safe_globals
    try:
        if not getattr(loader, 'is_safe', False):
            loader = load_from_local if loader is CheckpointLoader._schemes[''] else _safe(loader)
        return loader(str(path), map_location)
    finally:
        checkpoint.get_torch_safe_globals = known
