"""Refuses a path, of a tool's argument or of a config, that names no file or an empty one."""
import os


def is_remote(path: object) -> bool:
    """Paths of mmengine's other file backends ('s3://...') aren't checked."""
    return '://' in str(path)


def check_file(path: str, field: str, error: type[BaseException] = SystemExit) -> None:
    """Raise unless ``path`` is a file with something in it; remote paths pass.

    Args:
        path (str): a file.
        field (str): the argument or the place in the config that names it.
        error (type): the error to raise; SystemExit ends a tool.

    Raises:
        error: names the field and the path.
    """
    if is_remote(path):
        return
    if not os.path.isfile(path):
        raise error(f'{field}: {path!r} is not a file')
    if os.path.getsize(path) == 0:
        raise error(f'{field}: {path!r} is empty (0 bytes)')
