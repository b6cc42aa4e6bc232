"""From records to tables: mean, standard deviation, sizes, search cost, t-tests."""
import csv
import io
import math
import statistics

from scipy import stats


def values_of(column, records):
    """The column's figure of every finished record that has it."""
    found = []
    for record in records:
        metrics = record['results'].get(column['evaluation'], {}).get('test', {})
        if column['metric'] in metrics:
            value = metrics[column['metric']]
            found.append(100 - value if column.get('error') else value)
    return found


def mean_and_deviation(values):
    """(mean, sample standard deviation); nan where there are too few."""
    return (statistics.fmean(values) if values else math.nan,
            statistics.stdev(values) if len(values) > 1 else math.nan)


def t_tests(ours, baseline):
    """p values of the paper's one-sample test and of Welch's; nan with fewer than 2 runs or without any spread.

    Args:
        ours (list[float]): of our runs; the one-sample test is of them against
            the baseline's mean (appendix F), two-sided.
        baseline (list[float]): of the baseline's.
    """
    one_sample = welch = math.nan
    if len(ours) > 1 and baseline and len(set(ours)) > 1:
        one_sample = float(stats.ttest_1samp(ours, statistics.fmean(baseline)).pvalue)
    if len(ours) > 1 and len(baseline) > 1 and (len(set(ours)) > 1 or len(set(baseline)) > 1):
        welch = float(stats.ttest_ind(ours, baseline, equal_var=False).pvalue)
    return one_sample, welch


def table_rows(experiment, records):
    """The table as (header, rows of text).

    Args:
        experiment (Experiment): whose columns are shown.
        records (dict): row's name -> its finished records.
    """
    header = ['row', 'n']
    for column in experiment.columns:
        header += [column['name'], 'parameters', 'MACs']
        if experiment.ours is not None:
            header += ['p (ttest_1samp)', 'p (Welch ttest_ind)']
    header.append('search cost (s)')
    rows = []
    for row in experiment.rows:
        own = records.get(row['name'], [])
        cells = [row['name'], str(len(own))]
        for column in experiment.columns:
            values = values_of(column, own)
            mean, deviation = mean_and_deviation(values)
            cells.append(f'{_number(mean, ".2f")} ± {_number(deviation, ".2f")}')
            for size in ('parameters', 'macs'):
                sizes = [record['results'][column['evaluation']][size] for record in own
                         if column['evaluation'] in record['results']]
                cells.append(_number(mean_and_deviation(sizes)[0], ',.0f'))
            if experiment.ours is not None:
                if row['name'] == experiment.ours:
                    cells += ['', '']
                else:
                    ours = values_of(column, records.get(experiment.ours, []))
                    cells += [_number(p, '.4f') for p in t_tests(ours, values)]
        cost = [record['steps']['search']['seconds'] for record in own]
        cells.append(_number(mean_and_deviation(cost)[0], '.0f'))
        rows.append(cells)
    return header, rows


def _number(value, form):
    return '-' if math.isnan(value) else format(value, form)


def markdown(experiment, header, rows):
    """The table as Markdown, with what its figures are."""
    lines = [f'# {experiment.title}', '', '| ' + ' | '.join(header) + ' |', '|' + '---|' * len(header)]
    lines += ['| ' + ' | '.join(cells) + ' |' for cells in rows]
    lines += ['', 'Mean ± sample standard deviation of n finished runs; parameters and MACs of the retrained backbone.']
    if experiment.ours is not None:
        lines.append(f'p: two-sided, of "{experiment.ours}" against the row: scipy.stats.ttest_1samp against '
                     "the row's mean, and Welch's scipy.stats.ttest_ind(equal_var=False).")
    return '\n'.join(lines) + '\n'


def comma_separated(header, rows):
    """The table as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows([header, *rows])
    return text.getvalue()
