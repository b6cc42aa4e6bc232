"""The text of a report: the table, accuracy against cost, comparisons with ours and with equal cost."""
from collections.abc import Mapping
from typing import Any

from .declaration import Experiment
from .equal_cost import EqualCost, equal_cost_text
from .markdown_table import table_lines
from .pairs import pairs_text
from .pareto import has_pareto, pareto_text
from .report import markdown, table_rows
from .statistics import HEADER, statistics_note, statistics_tables


def full_report(experiment: Experiment, finished: Mapping[str, list[dict[str, Any]]],
                equal_cost: EqualCost | None = None) -> str:
    """Markdown; the same results give the same text.

    Args:
        experiment (Experiment): that is reported.
        finished (dict): of :func:`~.report.finished_seeds`.
        equal_cost (EqualCost, optional): the means at equal cost, if the experiment declares an ``equal_cost``.
    """
    text = markdown(experiment, *table_rows(experiment, finished))
    if has_pareto(experiment, finished):
        text += f'\n{pareto_text(experiment, finished)}'
    if experiment.statistics:
        for name, rows in statistics_tables(experiment, finished).items():
            text += '\n' + '\n'.join([f'## {name}', '', *table_lines(HEADER, rows)]) + '\n'
        text += f'\n{statistics_note(experiment)}\n'
    if experiment.pairs:
        text += f'\n{pairs_text(experiment, finished)}'
    if equal_cost is not None:
        text += f'\n{equal_cost_text(experiment, finished, equal_cost)}'
    return text
