"""The page of a search in phases: what each phase kept, the found architecture, links to the pages of the phases."""
import os
from html import escape
from pathlib import Path

from .charts import inline_svg
from .page import Page, title_of
from .work_dir import SCALARS, SearchFolder, read_search

RECORD = 'phase.json'  # in a phase's folder, once it has ended
PICTURES = (('phases', 'the operations that each phase kept'), ('architecture', 'the architecture'))


def phase_folders(folder: Path) -> list[Path]:
    """The work dirs of the phases that have begun, in order; none for a search without phases.

    A phase of an earlier search there has no record, and its figures are older than the record of the phase before.
    """
    if any(folder.glob(f'*/{SCALARS}')):
        return []
    phases: list[Path] = []
    since = 0.  # when the phase before ended
    while True:
        phase = folder / f'phase{len(phases) + 1}'
        begun = max((path.stat().st_mtime for path in phase.glob(f'*/{SCALARS}')), default=0.)
        record = phase / RECORD
        if record.is_file() and begun:
            phases.append(phase)
            since = record.stat().st_mtime
        else:
            return [*phases, phase] if begun > since else phases


def phases_page(folder: Path, pages: list[Path], out: Path) -> str:
    """The text of the page.

    Args:
        folder (Path): the work dir, with the folders of phases.
        pages (list[Path]): the page of each phase, in its folder.
        out (Path): the file of this page, from which links start.
    """
    phases: list[SearchFolder] = [read_search(page.parent) for page in pages]
    page = Page(title_of(phases[-1]))
    whole = SearchFolder(folder)
    for name, label in PICTURES:
        picture = whole.picture(name)
        if picture is not None:
            page.add(f'<figure class="picture">{page.svg(inline_svg(picture, label))}</figure>')
    page.add('<h2>Phases</h2>', '<ul>')
    for path, phase in zip(pages, phases, strict=True):
        link = Path(os.path.relpath(path, out.parent)).as_posix()
        said = f': {escape(phase.said[0])}' if phase.said else ''
        page.add(f'<li><a href="{escape(link)}">{escape(path.parent.name)}</a>{said}</li>')
    page.add('</ul>')
    return page.text()
