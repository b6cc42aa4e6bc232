"""Writes the page of a search, and its log for the ``analyze_logs`` of mmdet and of mmpretrain."""
from pathlib import Path

from ..files.atomic import write_whole
from .page import page_of
from .phases_page import phase_folders, phases_page
from .work_dir import analyzed_text, read_search

PAGE = 'report.html'  # in the work dir


def write_report(folder: str | Path, out: str | Path | None = None) -> Path:
    """Write the page of the search in a work dir, finished or not; returns its path. Phases get pages of their own.

    Args:
        folder (str | Path): the work dir.
        out (str | Path, optional): the file; by default ``report.html`` in the work dir.

    Raises:
        ValueError: if the folder is not the work dir of a search, or one of its files can't be read.
        OSError: if the page can't be written; names the file.
    """
    path = Path(folder) / PAGE if out is None else Path(out)
    if phases := phase_folders(Path(folder)):
        text = phases_page(Path(folder), [write_report(phase) for phase in phases], path)
    else:
        text = page_of(read_search(folder))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
    return path


def write_analyzed_log(folder: str | Path, out: str | Path) -> Path:
    """Write the figures of a search, with all its runs, as a file that ``analyze_logs`` reads; returns its path.

    Raises:
        ValueError, OSError: as :func:`write_report`.
    """
    path = Path(out)
    text = analyzed_text(read_search(folder))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
    return path
