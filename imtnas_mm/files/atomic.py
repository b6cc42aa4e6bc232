"""Writes files atomically: a path always holds the old file or the whole new one."""
import contextlib
import os
from pathlib import Path

PART = '.part'  # suffix of a file that is being written


def write_whole(path: str | Path, text: str) -> None:
    """Write a text file.

    Raises:
        OSError: names the file.
    """
    path = Path(path)
    part = path.with_name(f'.{path.name}.{os.getpid()}{PART}')
    try:
        part.write_text(text, encoding='utf-8')
        os.replace(part, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # a full disk doesn't say which file
    finally:
        part.unlink(missing_ok=True)


def write_checkpoint(path: str | Path, data: bytes | memoryview) -> None:
    """Write the bytes of a checkpoint, and return once they are on the disk.

    Raises:
        OSError: names the file; other checkpoints are unchanged.
    """
    part = f'{path}{PART}'
    try:
        os.makedirs(os.path.dirname(part) or '.', exist_ok=True)
        with open(part, 'wb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.remove(part)
        raise OSError(error.errno, f'the checkpoint could not be written ({error.strerror}); earlier ones are kept',
                      str(path)) from error
