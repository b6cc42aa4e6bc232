import math

import pytest

from helpers.package_experiments import EXPERIMENTS, planned
from helpers.stub_tools import RETRAIN, RETRAIN100, SEARCH, write
from imtnas_mm.experiments import Experiment, load_experiment, plan_runs
from imtnas_mm.experiments.report import (
    NOTES,
    comma_separated,
    finished_seeds,
    markdown,
    mean_and_deviation,
    t_tests,
    table_rows,
)
from imtnas_mm.genotype import published_genotype


def test_mean_and_deviation():
    assert mean_and_deviation([1., 2., 3.]) == (2., 1.)
    mean, deviation = mean_and_deviation([4.])
    assert mean == 4. and math.isnan(deviation)
    assert all(math.isnan(value) for value in mean_and_deviation([]))


def test_t_tests_closed_form():
    """With 2 degrees of freedom Student's distribution has p = 1 - |t| / sqrt(t^2 + 2), two-sided."""
    one_sample, welch = t_tests([1., 2., 3.], [4., 4., 4.])
    t = (2 - 4) / (1 / math.sqrt(3))
    assert one_sample == pytest.approx(1 - abs(t) / math.sqrt(t * t + 2))
    assert welch == pytest.approx(one_sample)  # the baseline has no variance: both have t and 2 degrees of freedom
    # equal variances of 2 runs each: Welch's degrees of freedom are 2
    _, welch = t_tests([1., 3.], [4., 6.])
    t = (2 - 5) / math.sqrt(2 / 2 + 2 / 2)
    assert welch == pytest.approx(1 - abs(t) / math.sqrt(t * t + 2))


def test_t_tests_of_too_few():
    assert all(math.isnan(p) for p in t_tests([1.], [2., 3.]))
    assert all(math.isnan(p) for p in t_tests([1., 1.], [2., 2.]))
    one_sample, welch = t_tests([1., 2.], [3.])
    assert not math.isnan(one_sample) and math.isnan(welch)


def result_of(top1, seconds=None, evaluation='c10'):
    """A seed's results."""
    return dict(search_time=seconds, search_epoch_time=seconds and seconds / 10, search_epochs=50, search_memory=2**20,
                results={evaluation: dict(
        test={'accuracy/top1': top1}, parameters=1234, macs=5678e6, epoch_time=7.25)})


def experiment(columns, rows, ours=None):
    return Experiment('table', 'A table', [0, 1, 2], [dict(name=row) for row in rows], columns, ours)


ERROR = dict(name='error', evaluation='c10', metric='accuracy/top1', error=True)
COLUMNS = [ERROR, dict(name='parameters', evaluation='c10', metric='parameters'),
           dict(name='MACs (M)', evaluation='c10', metric='macs', scale=1e-6), dict(name='s', metric='search_time'),
           dict(name='MiB', metric='search_memory', scale=2**-20), dict(name='s/epoch', metric='search_epoch_time'),
           dict(name='epochs', metric='search_epochs'), dict(name='s/e', evaluation='c10', metric='epoch_time')]


def test_table():
    table = experiment(COLUMNS, ['Ours', 'Other', 'None'], 'Ours')
    finished = dict(Ours=[result_of(99., 10), result_of(98., 20), result_of(97., 30)], Other=[result_of(96.)] * 3)
    header, rows = table_rows(table, finished)
    t = (2 - 4) / (1 / math.sqrt(3))
    p = f'{1 - abs(t) / math.sqrt(t * t + 2):.4f}'
    assert header == ['row', 'n', 'error', 'p (ttest_1samp)', 'p (Welch ttest_ind)', 'parameters', 'MACs (M)', 's',
                      'MiB', 's/epoch', 'epochs', 's/e']
    assert rows == [['Ours', '3', '2.00 ± 1.00', '', '', '1,234', '5,678', '20', '1', '2', '50', '7.25'],
                    ['Other', '3', '4.00 ± 0.00', p, p, '1,234', '5,678', '-', '1', '-', '50',
                     '7.25'],
                    ['None', '0', '- ± -', *['-'] * 9]]
    text = markdown(table, header, rows)
    assert 'ttest_1samp' in text and 'equal_var=False' in text and '| Other | 3 | 4.00 ± 0.00 |' in text
    assert all(note in text for note in NOTES.values())
    assert comma_separated(header, rows).splitlines()[1] == 'Ours,3,2.00 ± 1.00,,,"1,234","5,678",20,1,2,50,7.25'
    header, rows = table_rows(experiment([ERROR], ['Ours']), finished)
    assert not any(note in markdown(experiment([ERROR], ['Ours']), header, rows) for note in NOTES.values())


def test_each_row_may_name_its_ours():
    rows = [dict(name='A', ours='A'), dict(name='B', ours='A'), dict(name='C')]
    table = Experiment('table', 'A table', [0, 1], rows, [ERROR], None)
    finished = dict(A=[result_of(99.), result_of(98.)], B=[result_of(90.)] * 2, C=[result_of(90.)] * 2)
    header, cells = table_rows(table, finished)
    p = t_tests([1., 2.], [10., 10.])
    assert [row[3:] for row in cells] == [['', ''], [f'{value:.4f}' for value in p], ['', '']]
    assert 'of ours in the same space' not in markdown(table, header, cells)  # one row is ours
    two = Experiment('table', 'A table', [0, 1], [dict(name='A', ours='B'), dict(name='B', ours='A')], [ERROR], None)
    assert 'of ours in the same space' in markdown(two, *table_rows(two, finished))


def test_sum_of_columns():
    other = dict(ERROR, name='other', evaluation='c100')
    table = experiment([ERROR, other, dict(name='both', sum={'other': 1, 'error': 6})], ['a'])
    both = dict(result_of(98.)['results'], **result_of(70., evaluation='c100')['results'])
    several = dict(a=[dict(search_time=1, results=both),
                      dict(search_time=1, results=result_of(97.)['results'])])
    assert table_rows(table, several)[1] == [['a', '2', '2.50 ± 0.71', '30.00 ± - (n=1)', '42.00 ± - (n=1)']]


def test_searches_of_a_row_are_one_result(tmp_path):
    """A seed counts once all its runs are finished; what the searches took is added up."""
    evaluations = dict(c10=dict(config=RETRAIN, shape=(32, 32)), c100=dict(config=RETRAIN100, shape=(32, 32)))
    runs = plan_runs(load_experiment(write(
        tmp_path, evaluations=evaluations,
        rows=[dict(name='a', search=SEARCH, single_task=dict(c10=['c10'], c100=['c100'])),
              dict(name='b', architecture='darts_v2')])))
    records = {run.identity: dict(
        steps={} if run.search is None else dict(
            search=dict(
                seconds=10 + i, peak_memory=100 - i, logged_memory_mb=None if i < 3 else i, epoch_seconds=i + 1.),
            c10_retrain=dict(epoch_seconds=7.)),
        results={name: dict(test={'accuracy/top1': i}) for name in run.evaluations}) for i, run in enumerate(runs)}
    for run in runs:
        if run.task == 'c100':
            records[run.identity]['results']['search'] = {'5': {'c100/top1': 1.}, '10': {'c100/top1': 2.}}
        elif run.task == 'c10':
            records[run.identity]['results']['search'] = {'10': {'c10/top1': 3., 'r1.c10/top1': 4.}}
    actual = finished_seeds(runs, records)
    network = dict(test={'c10/top1': 3., 'c100/top1': 2.})  # the last validation, of the last round
    assert actual['a'] == [dict(
        seed=0, search_time=21, search_epoch_time=3., search_epochs=4, search_memory=100, results=dict(
            search=network, c10=dict(test={'accuracy/top1': 0}, epoch_time=7.), c100=dict(test={'accuracy/top1': 1}))),
        dict(seed=1, search_time=27, search_epoch_time=9., search_epochs=4, search_memory=4 * 2**20, results=dict(
            search=network, c10=dict(test={'accuracy/top1': 3}, epoch_time=7.), c100=dict(test={'accuracy/top1': 4})))]
    assert [result['search_time'] for result in actual['b']] == [None, None]
    del records[runs[4].identity]
    assert len(finished_seeds(runs, records)['a']) == 1


@pytest.mark.parametrize('name', EXPERIMENTS)
def test_report_of_an_experiment_of_the_package(name):
    """From records with made-up figures: every cell is filled."""
    experiment, runs = planned(name)
    metrics = {column['metric']: .5 for column in experiment.columns if 'metric' in column}
    of_rounds = {f'{before}{metric}': value for metric, value in metrics.items() for before in ('', 'r1.', 'r2.')}
    result = dict(test=metrics, parameters=10**6, macs=10**8)
    architecture = published_genotype('nasbench201_resnet').to_dict()
    table = dict(file='a.csv', sha256='0')
    records = {run.identity: dict(
        steps={} if run.search is None else dict(
            search=dict(seconds=3600., peak_memory=2**30, logged_memory_mb=None, epoch_seconds=60.),
            **{f'{key}_retrain': dict(epoch_seconds=30.) for key in run.evaluations}),
        results={'search': {'1': metrics}, 'search_test': dict(test=of_rounds),
                 **(dict(architecture=architecture) if run.tables else {}),
                 **{name: dict(result, table=table) for name in run.tables},
                 **{filled: result for key in run.evaluations  # a joint one fills the columns of its tasks
                    for filled in (run.tasks[key].values() if key in run.tasks else [key])}}) for run in runs}
    header, rows = table_rows(experiment, finished_seeds(runs, records))
    assert [cells[:2] for cells in rows] == [[row['name'], '1'] for row in experiment.rows]
    for column in experiment.columns:
        place = header.index(column['name'])
        assert all(row['search'] is None or not cells[place].startswith('-')
                   for row, cells in zip(experiment.rows, rows, strict=True)), column
    assert markdown(experiment, header, rows).count('\n| ') == len(rows) + 1
