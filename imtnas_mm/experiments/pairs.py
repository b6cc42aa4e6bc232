"""Pairs of rows of an experiment, compared seed by seed: two searches of one seed start alike."""
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from scipy import stats

from .declaration import Experiment
from .markdown_table import table_lines
from .report import number_text, p_text, t_tests
from .statistics import by_seed, holm, less_is_better, mann_whitney

HEADER = ['row', 'against', 'n', 'difference', 'A', 'better', 'worse', 'p (Welch)', 'p (Mann-Whitney)', 'p (Wilcoxon)',
          'Holm']
NOTE = ('Difference: of the means, row minus the other. A: of the pairs of a run of each, the share in which that of '
        'the row is better, ties half. Better, worse: of the seeds that both have. Wilcoxon: the signed-rank test over '
        'these seeds (`scipy.stats.wilcoxon`, without ties), two-sided as the others. Holm: of its p, for the number '
        'of tests in this table.')


def wilcoxon(ours: Sequence[float], others: Sequence[float]) -> float:
    """The two-sided p of the signed-rank test of paired values, pairs without a difference left out; nan without any.
    """
    differences = [a - b for a, b in zip(ours, others, strict=True) if a != b]
    if not differences:
        return math.nan
    test: Any = stats.wilcoxon(differences)
    return float(test.pvalue)


def pairs_table(experiment: Experiment, finished: Mapping[str, list[dict[str, Any]]], name: str) -> list[list[str]]:
    """Rows of text under ``HEADER``.

    Args:
        experiment (Experiment): with ``pairs``.
        finished (dict): of :func:`~.report.finished_seeds`.
        name (str): of a column.
    """
    columns = {column['name']: column for column in experiment.columns}
    column = columns[name]
    less = less_is_better(column, columns)
    rows, values = [], []
    for first, second in experiment.pairs['rows']:
        ours, theirs = (by_seed(column, finished.get(row, []), experiment.columns) for row in (first, second))
        both = sorted(set(ours) & set(theirs))
        differences = [ours[seed] - theirs[seed] for seed in both]
        mean = statistics.fmean(ours.values()) - statistics.fmean(theirs.values()) if ours and theirs else math.nan
        effect, p = mann_whitney(list(ours.values()), list(theirs.values()))
        more, fewer = (sum(difference * sign > 0 for difference in differences) for sign in (1, -1))
        better, worse = (fewer, more) if less else (more, fewer)
        values.append(wilcoxon([ours[seed] for seed in both], [theirs[seed] for seed in both]))
        rows.append([first, second, str(len(both)), number_text(mean, '+.2f'),
                     number_text(1 - effect if less else effect, '.2f'), str(better), str(worse),
                     p_text(t_tests(list(ours.values()), list(theirs.values()))[1]), p_text(p), p_text(values[-1])])
    for cells, corrected in zip(rows, holm(values), strict=True):
        cells.append(p_text(corrected))
    return rows


def pairs_text(experiment: Experiment, finished: Mapping[str, list[dict[str, Any]]]) -> str:
    """The tables as Markdown."""
    lines = []
    for name in experiment.pairs['columns']:
        lines += [f'## Pairs of rows: {name}', '', *table_lines(HEADER, pairs_table(experiment, finished, name)), '']
    return '\n'.join([*lines, NOTE]) + '\n'
