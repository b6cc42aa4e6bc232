"""Reads checkpoints, checks them against a network, and chooses the checkpoint from which a run resumes."""
import logging
import os.path as osp
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from torch import Tensor, nn
from torch.serialization import MAP_LOCATION

from .compat.safe_loading import load_checkpoint


class CheckpointError(ValueError):
    """A checkpoint can't be used; the message names the file and the entries."""


def check_state_dict(path: str | Path, saved: Mapping[str, Tensor], expected: Mapping[str, Tensor],
                     target: str = 'the model') -> None:
    """Raises :class:`CheckpointError` unless ``saved`` has the entries of ``expected``, with equal shapes.

    Args:
        path (str): of the checkpoint, for the message.
        saved, expected (dict[str, Tensor]): state dicts.
        target (str): name of the model in the message.
    """
    missing = [key for key in expected if key not in saved]
    unknown = [key for key in saved if key not in expected]
    differing = [key for key in expected if key in saved and saved[key].shape != expected[key].shape]
    problems = []
    for keys, text in ((missing, 'lacks {}'), (unknown, 'has {}, unknown to it')):
        if keys:
            problems.append(text.format(f'{keys[0]!r}' + (f' and {len(keys) - 1} more' if len(keys) > 1 else '')))
    if differing:
        key = differing[0]
        problems.append(f'has {key!r} of shape {tuple(saved[key].shape)}, which is {tuple(expected[key].shape)} here' +
                        (f', and {len(differing) - 1} more differ' if len(differing) > 1 else ''))
    if problems:
        raise CheckpointError(f'{path}: not a checkpoint of {target}: it {"; it ".join(problems)}. '
                              'Was it made with another config?')


def with_later_entries(saved: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """``saved``, with the model's present values of entries that checkpoints of earlier versions lack.

    A model names these entries in its attribute ``later_entries``.
    """
    present = model.state_dict()
    later = {name: present[name] for name in getattr(model, 'later_entries', ()) if name in present}
    return {**later, **saved}


def read_checkpoint(path: str | Path, map_location: MAP_LOCATION = 'cpu') -> dict[str, Any]:
    """The content of a checkpoint, at a path or a URL that mmengine loads."""
    try:
        checkpoint = load_checkpoint(path, map_location)
    except Exception as error:  # unpickling a damaged file can raise anything
        raise CheckpointError(f'{path}: cannot be loaded as a checkpoint: {error or type(error).__name__}') from error
    if not isinstance(checkpoint, dict):
        raise CheckpointError(f'{path}: holds a {type(checkpoint).__name__}; a checkpoint is a dict')
    return checkpoint


def check_resumable(path: str | Path, checkpoint: Mapping[str, Any]) -> None:
    """Raises :class:`CheckpointError` if a checkpoint has weights alone, without the state of its training."""
    for key in ('optimizer', 'message_hub'):
        if key not in checkpoint:
            raise CheckpointError(f'{path}: {key}: is missing, so no training can be resumed from it; load_from starts '
                                  'one from its weights')


def check_checkpoint_file(path: str | Path, model: nn.Module, resumed: bool = False) -> None:
    """:func:`check_state_dict` for a file and a model, which may be wrapped for distributed use.

    With ``resumed``, :func:`check_resumable`, too. A module's attribute
    ``training_only`` names children which the model may lack although the
    checkpoint has their weights.
    """
    plain: Any = model.module if is_model_wrapper(model) else model
    checkpoint = read_checkpoint(path)
    if resumed:
        check_resumable(path, checkpoint)
    saved = checkpoint.get('state_dict', checkpoint)
    absent = tuple(f'{name}.{child}.'.lstrip('.') for name, module in plain.named_modules()
                   for child in getattr(module, 'training_only', ()) if getattr(module, child) is None)
    saved = {key: value for key, value in saved.items() if not key.startswith(absent)}
    check_state_dict(path, with_later_entries(saved, plain), plain.state_dict(), type(plain).__name__)


def latest_checkpoint(work_dir: str | Path) -> str | None:
    """Path of the checkpoint from which ``--resume`` goes on; ``None`` if the work dir has none.

    The file ``last_checkpoint`` names it, as in mmengine. If this file is
    damaged or missing, or its checkpoint can't be read, a warning is logged,
    and the result is the resumable checkpoint in these folders with the most
    iterations.

    Raises:
        CheckpointError: all are damaged.
    """
    record = osp.join(work_dir, 'last_checkpoint')
    problems, last = [], ''
    if osp.lexists(record):
        last = _recorded(record, problems)
        if last and not problems:
            return last
    folders = {Path(work_dir), *([Path(last).parent] if osp.isdir(osp.dirname(last)) else [])}
    candidates = []
    for path in sorted(path for folder in folders for path in folder.glob('*.pth')):
        if str(path) == last:
            continue
        try:
            saved = read_checkpoint(str(path))
            if 'optimizer' in saved:  # some, such as the best one, hold weights alone
                candidates.append((saved['meta']['iter'], saved['meta']['epoch'], str(path)))
        except CheckpointError as error:
            problems.append(str(error))
        except (KeyError, TypeError):  # no checkpoint of a training
            continue
    if not candidates and not problems:
        return None
    if not candidates:
        raise CheckpointError('; '.join(problems) + f'. No whole checkpoint is left in {work_dir} to resume from; '
                              'without --resume the run starts anew')
    path = max(candidates)[2]
    problems = problems or [f'{record}: is missing']
    print_log(f'{"; ".join(problems)}. Resuming from {path} instead', 'current', logging.WARNING)
    return path


def _recorded(record: str, problems: list[str]) -> str:
    """The path in the file ``last_checkpoint``; adds faults of this file and of its checkpoint to ``problems``."""
    try:
        with open(record, encoding='utf-8') as file:
            last = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f'{record}: is damaged ({error})')
        return ''
    if not last.isprintable() or not last:
        problems.append(f'{record}: names no checkpoint')
        return ''
    try:
        read_checkpoint(last)
    except CheckpointError as error:
        problems.append(str(error))
    return last
