"""The process that rehearses a single training: python -m imtnas_mm.experiments.rehearsal.process FOLDER

``FOLDER`` has ``training.py``, the config, and ``training.json``, the arguments; ``result.json`` gets the result.
"""
import json
import resource
import sys
import traceback
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ...files.atomic import write_whole
from .measure import measure, out_of_memory

CONFIG, ARGUMENTS, RESULT = 'training.py', 'training.json', 'result.json'
GIB = 2**30


def limited(folder: Path, memory: int | None) -> dict[str, Any]:
    """The result of the training in a folder: ``state`` is measured, skipped or failed; the latter have a ``reason``.

    Args:
        folder (Path): of the training.
        memory (int | None): bytes, the limit to report if they do not suffice.
    """
    options = json.loads((folder / ARGUMENTS).read_text(encoding='utf-8'))
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
