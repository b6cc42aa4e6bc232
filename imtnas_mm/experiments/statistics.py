"""A row of an experiment against each other row: medians, wins, effects, and p values corrected for their number."""
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from scipy import stats

from .declaration import DERIVED_METRICS, SEARCH_METRICS, STANDINGS, Experiment
from .report import SIZES, mean_and_deviation, number_text, p_text, t_tests, value_of

SPLITS = 20000  # of the runs among two sides; 8 and 8 have 12870
HEADER = ['row', 'n', 'mean', 'median', 'difference', 'A', 'wins', 'p (Welch)', 'Holm', 'p (Mann-Whitney)', 'Holm']
NOTE = ('Against "{ours}", whose row is first. Difference: of the means, its mean minus that of the row. A: of the '
        'pairs of a run of it and one of the row, the share in which it is better, ties half (Vargha and Delaney, '
        '2000). Wins: of the seeds that both have, those in which it is better. p: two-sided, by Welch '
        '(`scipy.stats.ttest_ind(equal_var=False)`) and Mann-Whitney (`mannwhitneyu`, exact up to 8 runs a side). '
        'Holm: the p value before it, corrected for the number of comparisons by that test in this report.')


def less_is_better(column: Mapping[str, Any], columns: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a column is of errors, regrets, ranks or costs.

    Args:
        column (dict): of the experiment.
        columns (dict): all of them by name; a sum looks up its terms in them.

    Raises:
        ValueError: for a sum of columns if less is better in some of them and more in others.
    """
    if 'sum' in column:
        terms = {less_is_better(columns[name], columns) != (weight < 0) for name, weight in column['sum'].items()}
        if len(terms) > 1:
            raise ValueError(f'statistics: {column["name"]!r}; it must not be a sum of columns of which some are '
                             'better when less and others when more')
        return terms.pop()
    metric = column['metric']
    standing, slash, _ = metric.partition('/')
    less = metric in (*SEARCH_METRICS, *DERIVED_METRICS, *SIZES) or bool(slash) and standing in STANDINGS[:2]
    return bool(column.get('error')) != less


def holm(values: Sequence[float]) -> list[float]:
    """p values corrected for their number by Holm's step-down method (1979); nan stays, and doesn't count."""
    order = sorted((i for i, value in enumerate(values) if not math.isnan(value)), key=lambda i: values[i])
    corrected = [math.nan] * len(values)
    largest = 0.
    for place, i in enumerate(order):
        largest = max(largest, min(1., (len(order) - place) * values[i]))
        corrected[i] = largest
    return corrected


def mann_whitney(ours: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
    """(A, two-sided p): A is the share of pairs in which ours is larger, ties half; nan where a side has no run, and p
    also with fewer than 2 runs on a side.

    Up to ``SPLITS`` ways to split the runs among the sides, p is exact, with ties, too, and else scipy's: exact
    without ties if a side has at most 8 runs, or by the normal distribution.
    """
    if not ours or not others:
        return math.nan, math.nan
    few = min(len(ours), len(others)) > 1 and math.comb(len(ours) + len(others), len(ours)) <= SPLITS
    method: Any = stats.PermutationMethod(n_resamples=SPLITS) if few else 'auto'
    test: Any = stats.mannwhitneyu(ours, others, alternative='two-sided', method=method)
    effect = float(test.statistic) / (len(ours) * len(others))
    return effect, float(test.pvalue) if min(len(ours), len(others)) > 1 else math.nan


def by_seed(column: dict[str, Any], results: Sequence[dict[str, Any]],
            columns: Sequence[dict[str, Any]]) -> dict[int, float]:
    """Seed -> the figure of a column, of the seeds of a row that have it.

    Args:
        column (dict), columns (list[dict]): of the experiment.
        results (list[dict]): of the row, from :func:`~.report.finished_seeds`.
    """
    pairs = ((result['seed'], value_of(column, result, columns)) for result in results)
    return {seed: value for seed, value in pairs if value is not None}


def statistics_tables(experiment: Experiment,
                      finished: Mapping[str, list[dict[str, Any]]]) -> dict[str, list[list[str]]]:
    """Name of each column of ``experiment.statistics`` -> rows of text under ``HEADER``, ours first.

    Args:
        experiment (Experiment): with ``statistics`` and ``ours``.
        finished (dict): of :func:`~.report.finished_seeds`.
    """
    columns = {column['name']: column for column in experiment.columns}
    others = [row['name'] for row in experiment.rows if row['name'] != experiment.ours]
    tests: dict[str, list[float]] = dict(welch=[], mann_whitney=[])
    tables: dict[str, list[list[str]]] = {}
    for name in experiment.statistics:
        column = columns[name]
        ours = by_seed(column, finished.get(str(experiment.ours), []), experiment.columns)
        tables[name] = [[*_summary(experiment.ours, list(ours.values())), *[''] * 7]]
        for row in others:
            theirs = by_seed(column, finished.get(row, []), experiment.columns)
            values = list(theirs.values())
            effect, p = mann_whitney(list(ours.values()), values)
            tests['welch'].append(t_tests(list(ours.values()), values)[1])
            tests['mann_whitney'].append(p)
            both = sorted(set(ours) & set(theirs))
            less = less_is_better(column, columns)
            wins = sum(ours[seed] < theirs[seed] if less else ours[seed] > theirs[seed] for seed in both)
            difference = statistics.fmean(ours.values()) - statistics.fmean(values) if ours and values else math.nan
            tables[name].append([
                *_summary(row, values), number_text(difference, '+.2f'),
                number_text(1 - effect if less else effect, '.2f'), f'{wins} of {len(both)}' if both else '-'])
    for values in tests.values():
        corrected = holm(values)
        places = iter(range(len(values)))
        for name in experiment.statistics:
            for cells in tables[name][1:]:
                i = next(places)
                cells += [p_text(values[i]), p_text(corrected[i])]
    return tables


def _summary(row: Any, values: list[float]) -> list[str]:
    mean, deviation = mean_and_deviation(values)
    median = statistics.median(values) if values else math.nan
    return [row, str(len(values)), f'{number_text(mean, ".2f")} ± {number_text(deviation, ".2f")}',
            number_text(median, '.2f')]


def statistics_note(experiment: Experiment) -> str:
    """The explanation of the tables."""
    return NOTE.format(ours=experiment.ours)
