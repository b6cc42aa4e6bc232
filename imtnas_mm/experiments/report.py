"""Makes tables from records: means, standard deviations, t-tests."""
import csv
import io
import math
import re
import statistics
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from scipy import stats

from .declaration import DERIVED_METRICS, SEARCH, SEARCH_METRICS, SEARCH_TEST, Experiment, metric_of
from .derived_size import derived_size
from .markdown_table import table_lines
from .records import Recorded
from .run import Run

DEGENERATE = 'degenerate'
EARLIER = re.compile(r'r\d+\.')  # before the task: of a round before the last
STANDING_NOTE = ('Regret is what is missing to the best value in the table. Rank is that in the table, 1 is the best; '
                 'equal values share the better rank.')
DERIVED_NOTE = ('Parameters and MACs of the architecture that a run derives are those of its backbone, one image; a '
                'row that searches its tasks one by one has none.')
SIZES = ('parameters', 'macs', 'epoch_time')  # of an evaluation, and no metric of its test
NOTES = dict(
    parameters='Parameters are those of the retrained backbone; of tasks retrained together, of all their backbones, '
               'what they share once.',
    macs='MACs are the multiply-accumulates of the retrained backbone of the task, one image.',
    search_time='Search time is that of the search processes on the machine that ran them, summed over attempts and '
                'over the tasks of a row that searches them one by one; it is GPU time only where each had one GPU.',
    epoch_time='Time per epoch is the mean wall-clock time of the training epochs, without validations.',
    search_epoch_time='Search time per epoch is the mean wall-clock time of its training epochs over all phases, '
                      'without validations, summed over the tasks of a row that searches them one by one.',
    search_epochs='Search epochs are those of the config, of each phase if it has several.',
    search_memory='Search memory is the largest that torch held on a GPU or, without one, the largest resident memory '
                  'of a search; of a row that searches its tasks one by one, the largest of them.')


def finished_seeds(runs: Iterable[Run], records: Mapping[str, Recorded]) -> dict[str, list[dict[str, Any]]]:
    """The results of a table: name of a row -> one result per seed whose runs are all finished.

    Args:
        runs (list[Run]): of the experiment.
        records (dict): identity -> record of each finished run.

    Returns:
        dict: of lists of dicts: ``seed``, ``results`` by evaluation, the
        ``architecture`` (None if there is none, or several), and the
        ``SEARCH_METRICS``, in seconds and bytes, None without a search. The
        result of a lookup has the ``architecture`` and the ``history`` of its
        record. The results ``search`` and ``search_test`` have the metrics of
        the search network in the row's round on D^val, as last validated, and
        on the test splits.

    Raises:
        ValueError: if records were made with tables of one name and other contents.
    """
    of_seed: dict[tuple[str, int], list[Run]] = {}
    for run in runs:
        of_seed.setdefault((run.row, run.seed), []).append(run)
    finished, tables = {}, {}
    for (row, seed), its_runs in of_seed.items():
        its_records = [records[run.identity] for run in its_runs if run.identity in records]
        if len(its_records) < len(its_runs):
            continue
        for record in its_records:
            for name, table in _tables_of(record):
                if tables.setdefault(table['file'], table['sha256']) != table['sha256']:
                    raise ValueError(f'{row}, seed {seed}: {name}: {table["file"]} has the sha256 {table["sha256"]} '
                                     f'in this record and {tables[table["file"]]} in another; repeat the runs that '
                                     'were made with the other table')
        searches = [record['steps']['search'] for record in its_records if 'search' in record['steps']]
        finished.setdefault(row, []).append(dict(
            seed=seed,
            results=_results(its_runs, its_records),
            **_architecture(its_records),
            search_time=sum(step['seconds'] for step in searches) if searches else None,
            search_epoch_time=_sum([step.get('epoch_seconds') for step in searches]),
            search_epochs=max((run.search.train_cfg.max_epochs for run in its_runs if run.search is not None),
                              default=None),
            search_memory=max(map(memory_of, searches)) if searches else None))
    return finished


def _sum(values: list[float | None]) -> float | None:
    """None if there is none, or one of them is None."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _architecture(records: list[Recorded]) -> dict[str, Any]:
    """``architecture``, if all records have the same; empty if they have several or none."""
    kept = [{key: value for key, value in record['results'].get('architecture', {}).items()
             if key not in ('source', 'importance')} for record in records]
    return dict(architecture=kept[0]) if kept[0] and all(other == kept[0] for other in kept) else {}


def _results(runs: list[Run], records: list[Recorded]) -> dict[str, dict[str, Any]]:
    """The results of the runs of one row and seed, by evaluation."""
    results: dict[str, dict[str, Any]] = {}
    for run, record in zip(runs, records, strict=True):
        step_of = {filled: f'{name}_retrain' for name, tasks in run.tasks.items() for filled in tasks.values()}
        for name, result in record['results'].items():
            if name in (SEARCH, SEARCH_TEST):
                metrics = result['test'] if name == SEARCH_TEST else next(reversed(result.values()), {})
                results.setdefault(name, dict(test={}))['test'].update(of_round(metrics, run))
            elif name != 'history':
                seconds = record['steps'].get(step_of.get(name, f'{name}_retrain'), {}).get('epoch_seconds')
                results[name] = dict(result) if seconds is None else dict(result, epoch_time=seconds)
                if 'table' in result and 'architecture' in record['results']:
                    results[name]['architecture'] = record['results']['architecture']
                if 'accuracies' in result:
                    results[name]['history'] = record['results']['history']
    return results


def of_round(metrics: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """The metrics of the search network in the row's round, or in the last; those of earlier rounds begin with r<m>."""
    if run.round is None or run.search is None or run.round == run.search.train_cfg.rounds:
        return {key: value for key, value in metrics.items() if not EARLIER.match(key)}
    prefix = f'r{run.round}.'
    return {key.removeprefix(prefix): value for key, value in metrics.items() if key.startswith(prefix)}


def _tables_of(record: Recorded) -> Iterator[tuple[str, dict[str, Any]]]:
    """Evaluation and table of each lookup of a record."""
    for name, result in record['results'].items():
        if 'table' in result:
            yield name, result['table']


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
    values = (value_of(column, result, columns) for result in finished)
    return [value for value in values if value is not None]


def value_of(column: dict[str, Any], finished: dict[str, Any], columns: Iterable[dict[str, Any]] = ()) -> float | None:
    """The column's figure of one seed, None if it has none; arguments as of :func:`values_of`."""
    return _value(column, finished, {other['name']: other for other in columns})


def shown(column: Mapping[str, Any], value: float) -> float:
    """A metric's value as a column shows it."""
    return (100 - value if column.get('error') else value) * column.get('scale', 1)


def _value(column: dict[str, Any], finished: dict[str, Any], columns: Mapping[str, dict[str, Any]]) -> float | None:
    if 'sum' in column:
        parts = [_value(columns[name], finished, columns) for name in column['sum']]
        return None if None in parts else sum(w * v for w, v in zip(column['sum'].values(), parts, strict=True))
    metric = column['metric']
    if metric in DERIVED_METRICS:
        architecture = finished.get('architecture')
        value = None if architecture is None else derived_size(
            metric, architecture, tuple(column['shape']), column.get('network') or {})
    elif metric in SEARCH_METRICS:
        value = finished[metric]
    else:
        result = finished['results'].get(column['evaluation'], {})
        value = (result if metric in SIZES else result.get('test', {})).get(metric)
    return None if value is None else shown(column, value)


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
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
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)  # of runs that are all equal, of which one side may be
        if len(ours) > 1 and baseline and len(set(ours)) > 1:
            test = stats.ttest_1samp(ours, statistics.fmean(baseline))
            one_sample = float(test.pvalue)
        if len(ours) > 1 and len(baseline) > 1 and (len(set(ours)) > 1 or len(set(baseline)) > 1):
            test = stats.ttest_ind(ours, baseline, equal_var=False)
            welch = float(test.pvalue)
    return one_sample, welch


def is_measured(column: dict[str, Any]) -> bool:
    """Whether a column shows test metrics, with a deviation and, with ``ours``, t-tests."""
    return column.get('metric') not in (*SIZES, *SEARCH_METRICS, *DERIVED_METRICS)


def degenerate_text(degenerate: Mapping[str, Any], finished: list[dict[str, Any]]) -> str:
    """``3 of 10``: the runs whose accuracy is below the threshold, of those that have one."""
    known = [below for result in finished if (below := is_degenerate(degenerate, result)) is not None]
    return f'{sum(known)} of {len(known)}' if known else '-'


def is_degenerate(degenerate: Mapping[str, Any], finished: dict[str, Any]) -> bool | None:
    """Whether the accuracy of a seed is below the threshold; None if it has none."""
    value = finished['results'].get(degenerate['evaluation'], {}).get('test', {}).get(degenerate['metric'])
    return None if value is None else value < degenerate['below']


def table_rows(experiment: Experiment,
               finished: Mapping[str, list[dict[str, Any]]]) -> tuple[list[str], list[list[str]]]:
    """The table as (header, rows of text).

    Args:
        experiment (Experiment): whose columns are shown.
        finished (dict): of :func:`finished_seeds`.
    """
    header = ['row', 'n', *([DEGENERATE] if experiment.degenerate else [])]
    tested = {row['name']: ours_of(experiment, row) for row in experiment.rows}
    for column in experiment.columns:
        header.append(column['name'])
        if any(tested.values()) and is_measured(column):
            header += ['p (ttest_1samp)', 'p (Welch ttest_ind)']
    rows = []
    for row in experiment.rows:
        results = finished.get(row['name'], [])
        cells = [row['name'], str(len(results))]
        if experiment.degenerate:
            cells.append(degenerate_text(experiment.degenerate, results))
        for column in experiment.columns:
            values = values_of(column, results, experiment.columns)
            mean, deviation = mean_and_deviation(values)
            few = f' (n={len(values)})' if values and len(values) < len(results) else ''
            if not is_measured(column):
                cells.append(number_text(mean, ',.0f' if mean >= 100 else '.3g') + few)
                continue
            cells.append(f'{number_text(mean, ".2f")} ± {number_text(deviation, ".2f")}{few}')
            if any(tested.values()):
                name = tested[row['name']]
                ours = values_of(column, finished.get(name, []), experiment.columns) if name else []
                cells += ['', ''] if name in (None, row['name']) else [
                    p_text(p) for p in t_tests(ours, values)]
        rows.append(cells)
    return header, rows


def ours_of(experiment: Experiment, row: Mapping[str, Any]) -> str | None:
    """The row with which the t-tests of the table compare a row; statistics have tests of their own."""
    return None if experiment.statistics else row.get('ours') or experiment.ours


def number_text(value: float, form: str) -> str:
    """A figure of a table; a dash for nan."""
    return '-' if math.isnan(value) else format(value, form)


def p_text(p: float) -> str:
    """A p value in a table; a dash for nan."""
    return number_text(p, '.2e' if p < 1e-3 else '.4f')


def markdown(experiment: Experiment, header: list[str], rows: list[list[str]]) -> str:
    """The table as Markdown, with notes on its figures."""
    lines = [f'# {experiment.title}', '', *table_lines(header, rows)]
    lines += ['', 'Mean ± sample standard deviation of n finished runs.']
    metrics = {column.get('metric') for column in experiment.columns}
    lines += [note for metric, note in NOTES.items() if metric in metrics]
    lines += [DERIVED_NOTE] * bool(metrics & {*DERIVED_METRICS})
    lines += [STANDING_NOTE] * any(metric_of(metric) != metric for metric in metrics if metric)
    if experiment.degenerate:
        lines.append(f'Degenerate: runs whose {experiment.degenerate["metric"]} is below '
                     f'{experiment.degenerate["below"]:g}.')
    ours = list(dict.fromkeys(name for row in experiment.rows if (name := ours_of(experiment, row))))
    if ours:
        which = f'"{ours[0]}"' if len(ours) == 1 else 'ours in the same space'
        lines.append(f'p: two-sided, of {which} against the row: scipy.stats.ttest_1samp against '
                     "the row's mean, and Welch's scipy.stats.ttest_ind(equal_var=False).")
    return '\n'.join(lines) + '\n'


def comma_separated(header: list[str], rows: list[list[str]]) -> str:
    """The table as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows([header, *rows])
    return text.getvalue()
