"""The HTML page of an experiment: its tables, its figures and curves, and the pages of its searches."""
import os
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from ..search_report import PAGE
from ..search_report.charts import inline_svg
from ..search_report.page import Page, table_html
from .records import record_path
from .run import Run, different_runs


def experiment_page(title: str, text: str, pictures: Iterable[Path], searches: Iterable[tuple[str, str]]) -> str:
    """The text of the page, one file without scripts: the first table, the figures, all else.

    Args:
        title (str): of the experiment.
        text (str): of :func:`~.report_text.full_report`: headings, tables and paragraphs.
        pictures (list[Path]): SVG files, which the page takes in.
        searches (list[tuple[str, str]]): name of a run -> link to the page of its search.
    """
    page = Page(title)
    parts = text_html(text)
    first = next((i for i, part in enumerate(parts) if part.startswith('<h2>')), len(parts))
    page.add(*parts[:first])
    for path in pictures:
        chart = inline_svg(path.read_text(encoding='utf-8'), path.stem)
        page.add(f'<figure class="figures">{page.svg(chart)}</figure>')
    page.add(*parts[first:])
    links = [f'<li><a href="{escape(link)}">{escape(name)}</a></li>' for name, link in searches]
    if links:
        page.add('<h2>Searches</h2>', '<ul>', *links, '</ul>')
    return page.text()


def text_html(text: str) -> list[str]:
    """The lines of a report as HTML: ``#`` is left out, since the page has its title; ``##``, tables, paragraphs."""
    parts: list[str] = []
    table: list[list[str]] = []
    for line in [*text.splitlines(), '']:
        if line.startswith('|'):
            table.append([cell.strip() for cell in line[1:-1].split('|')])
            continue
        if table:
            head, _, *rows = table  # the second line has dashes
            parts.append(f'<div class="scroll wide">{table_html(head, rows)}</div>')
            table = []
        if line.startswith('## '):
            parts.append(f'<h2>{escape(line[3:])}</h2>')
        elif line and not line.startswith('# '):
            parts.append(f'<p class="note">{escape(line)}</p>')
    return parts


def search_pages(work_dir: Path, runs: Sequence[Run], folder: Path) -> list[tuple[str, str]]:
    """(name, link from ``folder``) of the pages that the searches of an experiment have written.

    A search in phases that isn't finished has those of its phases alone.
    """
    pages = []
    for run in different_runs(runs).values():
        search = record_path(work_dir, run.identity).with_name('search')
        for path in sorted(search.glob(PAGE)) or sorted(search.glob(f'phase*/{PAGE}')):
            phase = '' if path.parent == search else f', {path.parent.name}'
            pages.append((f'{run.name}{phase}', Path(os.path.relpath(path, folder)).as_posix()))
    return pages
