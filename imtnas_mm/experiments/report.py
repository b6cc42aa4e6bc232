"""Makes tables from records: means, standard deviations, t-tests."""
import csv
import io
import math
import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from scipy import stats

from .declaration import SEARCH_METRICS, Experiment
from .run import Run

SIZES = ('parameters', 'macs')
NOTES = dict(
    parameters='Parameters are those of the retrained backbone; of tasks retrained together, of all their backbones, '
               'what they share once.',
    macs='MACs are the multiply-accumulates of the retrained backbone of the task, one image.',
    search_time='Search time is that of the search processes on the machine that ran them, summed over attempts and '
                'over the tasks of a row that searches them one by one; it is GPU time only where each had one GPU.',
    search_memory='Search memory is the largest that torch held on a GPU or, without one, the largest resident memory '
                  'of a search; of a row that searches its tasks one by one, the largest of them.')


def finished_seeds(runs: Iterable[Run], records: Mapping[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The results of a table: name of a row -> one result per seed whose runs are all finished.

    Args:
        runs (list[Run]): of the experiment.
        records (dict): identity -> record of each finished run.

    Returns:
        dict: of lists of ``dict(results=..., search_time=...,
        search_memory=...)``; seconds and bytes, None without a search.
    """
    of_seed = {}
    for run in runs:
        of_seed.setdefault((run.row, run.seed), []).append(records.get(run.identity))
    finished = {}
    for (row, _), several in of_seed.items():
        if None in several:
            continue
        searches = [record['steps']['search'] for record in several if 'search' in record['steps']]
        finished.setdefault(row, []).append(dict(
            results={name: result for record in several for name, result in record['results'].items()},
            search_time=sum(step['seconds'] for step in searches) if searches else None,
            search_memory=max(map(memory_of, searches)) if searches else None))
    return finished


def memory_of(step: dict[str, Any]) -> float:
    """Bytes that a step of a record took."""
    on_gpu = step.get('logged_memory_mb')
    return step['peak_memory'] if on_gpu is None else on_gpu * 2**20


def values_of(column: dict[str, Any], finished: list[dict[str, Any]],
              columns: Iterable[dict[str, Any]] = ()) -> list[float]:
    """The column's figure for each seed that has it.

    Args:
        column (dict): of the experiment.
        finished (list[dict]): of a row, from :func:`finished_seeds`.
        columns (list[dict]): of the experiment; a sum looks up its terms in them.
    """
    values = (_value(column, result, {other['name']: other for other in columns}) for result in finished)
    return [value for value in values if value is not None]


def _value(column: dict[str, Any], finished: dict[str, Any], columns: Mapping[str, dict[str, Any]]) -> float | None:
    if 'sum' in column:
        parts = [_value(columns[name], finished, columns) for name in column['sum']]
        return None if None in parts else sum(w * v for w, v in zip(column['sum'].values(), parts, strict=True))
    metric = column['metric']
    if metric in SEARCH_METRICS:
        value = finished[metric]
    else:
        result = finished['results'].get(column['evaluation'], {})
        value = (result if metric in SIZES else result.get('test', {})).get(metric)
    if value is None:
        return None
    return (100 - value if column.get('error') else value) * column.get('scale', 1)


def mean_and_deviation(values: list[float]) -> tuple[float, float]:
    """(mean, sample standard deviation); nan for too few values."""
    return (statistics.fmean(values) if values else math.nan,
            statistics.stdev(values) if len(values) > 1 else math.nan)


def t_tests(ours: list[float], baseline: list[float]) -> tuple[float, float]:
    """Two-sided p values of the paper's one-sample test and of Welch's; nan with fewer than 2 runs or without spread.

    Args:
        ours (list[float]): of our runs; the one-sample test compares them with
            the baseline's mean (appendix F).
        baseline (list[float]): of the baseline's runs.
    """
    one_sample = welch = math.nan
    test: Any  # scipy declares no type of its results
    if len(ours) > 1 and baseline and len(set(ours)) > 1:
        test = stats.ttest_1samp(ours, statistics.fmean(baseline))
        one_sample = float(test.pvalue)
    if len(ours) > 1 and len(baseline) > 1 and (len(set(ours)) > 1 or len(set(baseline)) > 1):
        test = stats.ttest_ind(ours, baseline, equal_var=False)
        welch = float(test.pvalue)
    return one_sample, welch


def is_measured(column: dict[str, Any]) -> bool:
    """Whether a column shows test metrics, with a deviation and, with ``ours``, t-tests."""
    return column.get('metric') not in (*SIZES, *SEARCH_METRICS)


def table_rows(experiment: Experiment,
               finished: Mapping[str, list[dict[str, Any]]]) -> tuple[list[str], list[list[str]]]:
    """The table as (header, rows of text).

    Args:
        experiment (Experiment): whose columns are shown.
        finished (dict): of :func:`finished_seeds`.
    """
    header = ['row', 'n']
    for column in experiment.columns:
        header.append(column['name'])
        if experiment.ours is not None and is_measured(column):
            header += ['p (ttest_1samp)', 'p (Welch ttest_ind)']
    rows = []
    for row in experiment.rows:
        results = finished.get(row['name'], [])
        cells = [row['name'], str(len(results))]
        for column in experiment.columns:
            values = values_of(column, results, experiment.columns)
            mean, deviation = mean_and_deviation(values)
            few = f' (n={len(values)})' if values and len(values) < len(results) else ''
            if not is_measured(column):
                cells.append(_number(mean, ',.0f' if mean >= 100 else '.3g') + few)
                continue
            cells.append(f'{_number(mean, ".2f")} ± {_number(deviation, ".2f")}{few}')
            if experiment.ours is not None:
                ours = values_of(column, finished.get(experiment.ours, []), experiment.columns)
                cells += ['', ''] if row['name'] == experiment.ours else [
                    _number(p, '.4f') for p in t_tests(ours, values)]
        rows.append(cells)
    return header, rows


def _number(value: float, form: str) -> str:
    return '-' if math.isnan(value) else format(value, form)


def markdown(experiment: Experiment, header: list[str], rows: list[list[str]]) -> str:
    """The table as Markdown, with notes on its figures."""
    lines = [f'# {experiment.title}', '', '| ' + ' | '.join(header) + ' |', '|' + '---|' * len(header)]
    lines += ['| ' + ' | '.join(cells) + ' |' for cells in rows]
    lines += ['', 'Mean ± sample standard deviation of n finished runs.']
    metrics = {column.get('metric') for column in experiment.columns}
    lines += [note for metric, note in NOTES.items() if metric in metrics]
    if experiment.ours is not None:
        lines.append(f'p: two-sided, of "{experiment.ours}" against the row: scipy.stats.ttest_1samp against '
                     "the row's mean, and Welch's scipy.stats.ttest_ind(equal_var=False).")
    return '\n'.join(lines) + '\n'


def comma_separated(header: list[str], rows: list[list[str]]) -> str:
    """The table as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows([header, *rows])
    return text.getvalue()
