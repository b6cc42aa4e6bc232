"""Writes the report of an experiment: Markdown, CSV, pictures and the page, for report.py and compare.py."""
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from ..files.atomic import write_whole
from ..picture import write_picture
from ..space_format import format_of
from .curves import curves_figure, has_curves
from .declaration import Experiment
from .equal_cost import EqualCost, equal_cost_of_tables
from .figure import figure_points, report_figure
from .page import experiment_page, search_pages
from .pareto import has_pareto, pareto_figure
from .records import Recorded, finished_records
from .report import comma_separated, finished_seeds, table_rows
from .report_text import full_report
from .run import Run, plan_runs
from .sheet import found_architectures
from .strips import has_strips, strips_figure

PICTURES = dict(curves=(has_curves, curves_figure), strips=(has_strips, strips_figure),
                pareto=(has_pareto, pareto_figure))  # ending of the file -> whether there is one, and the picture


def write_report(experiment: Experiment, runs: Sequence[Run], records: Mapping[str, Recorded],
                 equal_cost: EqualCost | None, folder: Path, work_dir: str | Path | None) -> tuple[list[Path], str]:
    """Writes all files of a report.

    Args:
        experiment (Experiment), runs (list[Run]): all of them.
        records (dict): identity -> record of each finished run.
        equal_cost (EqualCost, optional): of the tables, or of published records.
        folder (Path): to write to.
        work_dir (str | Path, optional): that of the runs, to whose pages the page has links.

    Returns:
        (list[Path], str): the files, the page last, and the report's text.

    Raises:
        ValueError: if the columns can't be compared, or architectures not be put on one sheet.
    """
    finished = finished_seeds(runs, records)
    text = full_report(experiment, finished, equal_cost)
    architectures = found_architectures(experiment, runs, records) if experiment.cells else {}
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / f'{experiment.name}.md', folder / f'{experiment.name}.csv']
    write_whole(written[0], text)
    write_whole(written[1], comma_separated(*table_rows(experiment, finished)))
    if experiment.figure:
        points = figure_points(experiment, finished)
        if any(points.values()):
            written += write_picture(folder / experiment.name, lambda: report_figure(experiment, points))
    for ending, (has, figure) in PICTURES.items():
        if has(experiment, finished):
            written += write_picture(folder / f'{experiment.name}_{ending}', partial(figure, experiment, finished))
    if architectures:
        sheet = format_of(next(iter(architectures.values())).space).sheet
        assert sheet is not None  # found_architectures
        written += write_picture(folder / f'{experiment.name}_cells', lambda: sheet(experiment.title, architectures))
    page = folder / f'{experiment.name}.html'
    write_whole(page, experiment_page(experiment.title, text, [path for path in written if path.suffix == '.svg'],
                                      [] if work_dir is None else search_pages(Path(work_dir), runs, folder)))
    return [*written, page], text


def refresh_report(experiment: Experiment, work_dir: str | Path) -> Path | None:
    """Writes the report of what is finished in a work dir into it; returns the page, ``None`` if no seed of any row is.

    Raises:
        ValueError: as :func:`write_report`.
    """
    runs = plan_runs(experiment)
    records = finished_records(work_dir, runs)
    if not finished_seeds(runs, records):
        return None
    equal_cost = equal_cost_of_tables(experiment) if experiment.equal_cost else None
    return write_report(experiment, runs, records, equal_cost, Path(work_dir), work_dir)[0][-1]
