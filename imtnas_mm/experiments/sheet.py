"""Collects the cells that the searches of an experiment found, for a sheet (the paper's Figures 3 to 16)."""
from collections.abc import Iterable, Mapping

from ..genotype import Genotype, genotype_from_dict
from ..space_format import format_of
from .declaration import Experiment
from .records import Recorded
from .run import Run


def found_architectures(experiment: Experiment, runs: Iterable[Run],
                        records: Mapping[str, Recorded]) -> dict[str, Genotype]:
    """Row -> the architecture of its first finished seed; a row that searches its tasks one by one has one per task.

    Args:
        experiment (Experiment): gives the order of the rows.
        runs (list[Run]): of the experiment.
        records (dict): identity -> record of each finished run.

    Raises:
        ValueError: if the architecture of a record is damaged, or its space has no sheet or another one.
    """
    by_place: dict[tuple[str, str | None], Genotype] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        place = run.row, run.task
        architecture = records.get(run.identity, {}).get('results', {}).get('architecture')
        if architecture is not None and place not in by_place:
            by_place[place] = genotype_from_dict(architecture, f'the record of {run.name}')
            space, first = by_place[place].space, next(iter(by_place.values())).space
            if format_of(space).sheet is None:
                raise ValueError(f'cells: {run.name}: the SpaceFormat of {space} has no sheet')
            if format_of(space).sheet is not format_of(first).sheet:
                raise ValueError(f'cells: {run.name}: an architecture of {space} has no place on the sheet of {first}')
    order = [row['name'] for row in experiment.rows]
    return {row if task is None else f'{row}, {task}': by_place[row, task]
            for row, task in sorted(by_place, key=lambda place: order.index(place[0]))}
