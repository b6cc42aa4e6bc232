"""Writes the report of an experiment: Markdown, CSV, pictures and the page, for report.py and compare.py."""
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ..files.atomic import write_whole
from ..genotype import Genotype
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

PICTURES: Mapping[str, tuple[Callable[..., bool], Callable[..., Figure]]] = dict(  # by the ending of the file
    curves=(has_curves, curves_figure), strips=(has_strips, strips_figure),
    pareto=(has_pareto, lambda experiment, finished, equal_cost: pareto_figure(experiment, finished)))


@dataclass(frozen=True)
class Report:
    """The report of an experiment, which :meth:`write` writes.

    Args:
        experiment (Experiment), runs (list[Run]): all of them.
        finished (dict): of :func:`~.report.finished_seeds`.
        equal_cost (EqualCost, optional): of the tables, or of published records.
        text (str): Markdown.
        architectures (dict[str, Genotype]): for the sheet; empty without one.
    """
    experiment: Experiment
    runs: Sequence[Run]
    finished: Mapping[str, list[dict[str, Any]]]
    equal_cost: EqualCost | None
    text: str
    architectures: Mapping[str, Genotype]

    @classmethod
    def of(cls, experiment: Experiment, runs: Sequence[Run], records: Mapping[str, Recorded],
           equal_cost: EqualCost | None) -> 'Report':
        """The report of some records.

        Args:
            experiment (Experiment), runs (list[Run]): all of them.
            records (dict): identity -> record of each finished run.
            equal_cost (EqualCost, optional): of the tables, or of published records.

        Raises:
            ValueError: if the columns can't be compared, or architectures not be put on one sheet.
        """
        finished = finished_seeds(runs, records)
        return cls(experiment, runs, finished, equal_cost, full_report(experiment, finished, equal_cost),
                   found_architectures(experiment, runs, records) if experiment.cells else {})

    def write(self, folder: Path, work_dir: str | Path | None) -> list[Path]:
        """Writes all files; returns their paths, the page last.

        Args:
            folder (Path): to write to.
            work_dir (str | Path, optional): that of the runs, to whose pages the page has links.
        """
        experiment, finished = self.experiment, self.finished
        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / f'{experiment.name}.md', folder / f'{experiment.name}.csv']
        write_whole(written[0], self.text)
        write_whole(written[1], comma_separated(*table_rows(experiment, finished)))
        if experiment.figure:
            points = figure_points(experiment, finished)
            if any(points.values()):
                written += write_picture(folder / experiment.name, lambda: report_figure(experiment, points))
        for ending, (has, figure) in PICTURES.items():
            if has(experiment, finished):
                drawn = partial(figure, experiment, finished, self.equal_cost)
                written += write_picture(folder / f'{experiment.name}_{ending}', drawn)
        if self.architectures:
            sheet = format_of(next(iter(self.architectures.values())).space).sheet
            assert sheet is not None  # found_architectures
            written += write_picture(
                folder / f'{experiment.name}_cells', lambda: sheet(experiment.title, self.architectures))
        page = folder / f'{experiment.name}.html'
        write_whole(page, experiment_page(
            experiment.title, self.text, [path for path in written if path.suffix == '.svg'],
            [] if work_dir is None else search_pages(Path(work_dir), self.runs, folder)))
        return [*written, page]


def refresh_report(experiment: Experiment, work_dir: str | Path) -> Path | None:
    """Writes the report of what is finished in a work dir into it; returns the page, ``None`` if no seed of any row is.

    Raises:
        ValueError: as :meth:`Report.of`.
        OSError: if a file can't be written.
    """
    runs = plan_runs(experiment)
    records = finished_records(work_dir, runs)
    if not finished_seeds(runs, records):
        return None
    equal_cost = equal_cost_of_tables(experiment) if experiment.equal_cost else None
    return Report.of(experiment, runs, records, equal_cost).write(Path(work_dir), work_dir)[-1]
