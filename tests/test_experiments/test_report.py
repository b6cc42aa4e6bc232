import math

import pytest

from imtnas_mm.experiments.declaration import Experiment
from imtnas_mm.experiments.report import comma_separated, markdown, mean_and_deviation, t_tests, table_rows


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


def record(top1, seconds):
    return dict(steps=dict(search=dict(seconds=seconds)),
                results=dict(c10=dict(test={'accuracy/top1': top1}, parameters=1234, macs=5678)))


def test_table():
    experiment = Experiment(
        'table', 'A table', [0, 1, 2], [dict(name='Ours'), dict(name='Other'), dict(name='None')],
        [dict(name='error', evaluation='c10', metric='accuracy/top1', error=True)], 'Ours')
    records = dict(Ours=[record(99., 10), record(98., 20), record(97., 30)], Other=[record(96., 5)] * 3)
    header, rows = table_rows(experiment, records)
    t = (2 - 4) / (1 / math.sqrt(3))
    p = f'{1 - abs(t) / math.sqrt(t * t + 2):.4f}'
    assert header[:5] == ['row', 'n', 'error', 'parameters', 'MACs']
    assert rows == [['Ours', '3', '2.00 ± 1.00', '1,234', '5,678', '', '', '20'],
                    ['Other', '3', '4.00 ± 0.00', '1,234', '5,678', p, p, '5'],
                    ['None', '0', '- ± -', '-', '-', '-', '-', '-']]
    text = markdown(experiment, header, rows)
    assert 'ttest_1samp' in text and 'equal_var=False' in text and '| Other | 3 | 4.00 ± 0.00 |' in text
    assert comma_separated(header, rows).splitlines()[1] == 'Ours,3,2.00 ± 1.00,"1,234","5,678",,,20'
