"""The process that rehearses a single training: python -m imtnas_mm.experiments.rehearsal.process FOLDER

``FOLDER`` has ``training.py``, the config, and ``training.json``, the arguments; ``result.json`` gets the result. One
that is there already is of the same config and arguments; it is taken if it was measured on this device with these
packages.
"""
import json
import resource
import sys
import traceback
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ...files.atomic import write_whole
from ..records import versions
from .measure import measure, measuring_device, out_of_memory

CONFIG, ARGUMENTS, RESULT = 'training.py', 'training.json', 'result.json'
GIB = 2**30


def earlier(folder: Path) -> dict[str, Any] | None:
    """The result of an earlier rehearsal, marked as such, if it was measured on this device with these packages."""
    if not (folder / RESULT).is_file():
        return None
    result = json.loads((folder / RESULT).read_text(encoding='utf-8'))
    (folder / RESULT).unlink()  # none is left if this process is ended
    same = (result.get('device'), result.get('versions')) == (measuring_device(), versions())
    return dict(result, earlier=True) if result['state'] == 'measured' and same else None


def limited(folder: Path, memory: int | None) -> dict[str, Any]:
    """The result of the training in a folder: ``state`` is measured, skipped or failed; the latter have a ``reason``.

    Args:
        folder (Path): of the training.
        memory (int | None): bytes, the limit to report if they do not suffice.
    """
    before = earlier(folder)
    if before is not None:
        return before
    options = json.loads((folder / ARGUMENTS).read_text(encoding='utf-8'))
    options.pop('sha256', None)
    try:
        cfg = Config.fromfile(folder / CONFIG)
        return dict(state='measured', **measure(cfg, folder, **options))
    except Exception as error:
        if out_of_memory(error):
            limit = 'this GPU has' if memory is None else f'{memory / GIB:.3g} GiB'
            return dict(state='skipped', reason=f'more memory than {limit}: {" ".join(str(error).split())[:200]}')
        traceback.print_exc()
        return dict(state='failed', reason=f'{type(error).__name__}: {error}')


def main() -> None:
    folder = Path(sys.argv[1])
    memory = int(sys.argv[2]) if len(sys.argv) > 2 else None
    if memory is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    write_whole(folder / RESULT, json.dumps(limited(folder, memory), default=float))


if __name__ == '__main__':
    main()
