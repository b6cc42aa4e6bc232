"""The text of a report: the table, accuracy against cost, and the comparisons with ours."""
from collections.abc import Mapping
from typing import Any

from .declaration import Experiment
from .pareto import has_pareto, pareto_text
from .report import markdown, table_rows
from .statistics import HEADER, statistics_note, statistics_tables


def full_report(experiment: Experiment, finished: Mapping[str, list[dict[str, Any]]]) -> str:
    """Markdown; the same results give the same text.

    Args:
        experiment (Experiment): that is reported.
        finished (dict): of :func:`~.report.finished_seeds`.
    """
    text = markdown(experiment, *table_rows(experiment, finished))
    if has_pareto(experiment, finished):
        text += f'\n{pareto_text(experiment, finished)}'
    if not experiment.statistics:
        return text
    for name, rows in statistics_tables(experiment, finished).items():
        lines = [f'## {name}', '', '| ' + ' | '.join(HEADER) + ' |', '|' + '---|' * len(HEADER)]
        text += '\n' + '\n'.join([*lines, *('| ' + ' | '.join(cells) + ' |' for cells in rows)]) + '\n'
    return f'{text}\n{statistics_note(experiment)}\n'
