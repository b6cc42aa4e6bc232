"""Writes a document from a template, or checks that the document is up to date."""
import sys
from pathlib import Path

from ..files.atomic import write_whole


def write_or_check(tool: str, path: str, text: str, sources: str, check: bool) -> None:
    """Writes ``text`` to a file and prints its path; with ``check`` writes nothing and compares.

    Args:
        tool (str): its name in tools/, without an ending.
        path (str): of the document.
        text (str): of the document.
        sources (str): the sources of the text, for the message.
        check (bool): whether to compare alone.

    Raises:
        SystemExit: with ``check``, the file has another text or is missing.
    """
    if not check:
        write_whole(path, text)
        print(f'written: {path}')
        return
    file = Path(path)
    if not file.is_file() or file.read_text(encoding='utf-8') != text:
        sys.exit(f'{tool}: {path} is not what {sources} give; tools/{tool}.py writes it')
