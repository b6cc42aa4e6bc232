"""Checkpoints are read as tensors and plain values; one that would run code is refused.

mmengine's loaders fall back to unpickling anything when the safe reading
fails, and among what it calls safe is ``getattr``, by which a pickle reaches
all there is. Importing this module puts loaders that don't in their places,
for whatever goes through mmengine's ``CheckpointLoader``: resuming, testing,
``load_from`` and ``init_cfg=dict(type='Pretrained', ...)``.
"""
import functools
import os
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Self
from unittest import mock

import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader, checkpoint

from .safetensors_file import SUFFIX, read_safetensors


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


_mmengine_safe_globals = checkpoint.get_torch_safe_globals


def safe_globals() -> list:
    """What mmengine calls safe, with a ``getattr`` that is."""
    known = [one for one in _mmengine_safe_globals() if one is not getattr]
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


def _safe(loader: Callable[..., Any]) -> Any:
    """A loader of another scheme (a URL, a model zoo), under which no ``torch.load`` unpickles code."""

    @functools.wraps(loader)
    def load(filename: str, map_location: Any = None, **kwargs: Any) -> Any:
        forced = mock.patch.dict(os.environ, TORCH_FORCE_WEIGHTS_ONLY_LOAD='1')
        with forced, _safe_globals(), _explained(filename):
            return _without_code(loader(filename, map_location, **kwargs))

    _mark_safe(load)
    return load


def _mark_safe(loader: Any) -> None:
    loader.is_safe = True


checkpoint.get_torch_safe_globals = safe_globals  # the loaders of the other schemes ask it
_mark_safe(load_from_local)
CheckpointLoader.register_scheme('', load_from_local, force=True)
for _prefix, _loader in list(CheckpointLoader._schemes.items()):
    if not getattr(_loader, 'is_safe', False):
        CheckpointLoader.register_scheme(_prefix, _safe(_loader), force=True)
