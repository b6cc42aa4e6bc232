"""Medians, wins, effects and corrected p values of ours against each other row."""
import itertools
import math

import pytest
from scipy import stats

from imtnas_mm.experiments import Experiment
from imtnas_mm.experiments.report_text import full_report
from imtnas_mm.experiments.statistics import HEADER, holm, less_is_better, mann_whitney, statistics_tables

COLUMNS = [dict(name='accuracy', evaluation='nb', metric='c10'),
           dict(name='regret', evaluation='nb', metric='regret/c10')]


def experiment(*rows, statistics=('accuracy', ), **fields):
    return Experiment('table', 'A table', [0, 1, 2], [dict(name=row) for row in rows], COLUMNS, rows[0],
                      statistics=list(statistics), **fields)


def seeds(*values, first=0):
    return [dict(seed=first + i, search_time=None, search_memory=None, results=dict(nb=dict(
        test={'c10': value, 'regret/c10': 94 - value}))) for i, value in enumerate(values)]


def test_holm_by_hand():
    """The smallest of three is multiplied by 3, the next by 2, the last by 1; none is below one before it."""
    assert holm([.04, .01, .02]) == pytest.approx([.04, .03, .04])
    assert holm([.5, .6, .9]) == [1., 1., 1.]
    some = holm([.01, math.nan, .04])
    assert some[0] == pytest.approx(.02) and math.isnan(some[1]) and some[2] == pytest.approx(.04)
    assert holm([]) == []


def test_mann_whitney_by_hand():
    """All of 3 runs above all of 3: 1 of 20 orders on each side."""
    assert mann_whitney([4, 5, 6], [1, 2, 3]) == (1., pytest.approx(.1))
    assert mann_whitney([1, 2], [1, 2])[0] == .5
    effect, p = mann_whitney([3], [1, 2])
    assert effect == 1. and math.isnan(p)
    assert all(math.isnan(value) for value in mann_whitney([], [1]))


def by_all_splits(ours, others):
    """Two-sided p: twice the smaller share of U as large or as small, of all ways to split the runs among the sides."""
    both = [*ours, *others]

    def u(first):
        second = [i for i in range(len(both)) if i not in first]
        return sum((both[i] > both[j]) + .5 * (both[i] == both[j]) for i in first for j in second)

    splits, own = [u(first) for first in itertools.combinations(range(len(both)), len(ours))], u(range(len(ours)))
    tails = sum(split >= own for split in splits), sum(split <= own for split in splits)
    return min(1., 2 * min(tails) / len(splits))


@pytest.mark.parametrize('ours, others, expected', [
    ([3, 4, 5], [1, 1, 1], .1), ([1, 1, 1], [2, 2, 2], .1), ([3, 4, 5, 6], [1, 1, 1, 1], 2 / 70),
    ([1, 2, 2, 5], [2, 2, 7, 8, 2, 9], None), ([4, 4], [4, 4, 4], 1.)])
def test_few_runs_with_ties(ours, others, expected):
    """A method that collapses to one cell in all seeds; scipy's own choice gives .064, .047 and .021 for the first."""
    p = mann_whitney(ours, others)[1]
    assert p == pytest.approx(by_all_splits(ours, others))
    assert expected is None or p == pytest.approx(expected)


def test_many_runs():
    """Ten a side are as scipy does them."""
    ours, others = [float(i * i % 13) for i in range(10)], [float(i * 5 % 11) for i in range(10)]
    assert mann_whitney(ours, others)[1] == stats.mannwhitneyu(ours, others).pvalue


def test_direction():
    columns = dict(
        a=dict(metric='c10'), b=dict(metric='regret/c10'), c=dict(metric='rank/c10'), d=dict(metric='percentile/c10'),
        e=dict(metric='accuracy/top1', error=True), f=dict(metric='accuracy/top1'), g=dict(metric='search_time'),
        h=dict(metric='macs'), i=dict(sum=dict(a=1, d=2)), j=dict(sum=dict(b=1, e=1, a=-1)))
    assert [name for name, column in columns.items() if less_is_better(column, columns)] == list('bceghj')
    with pytest.raises(ValueError, match="statistics: 'mixed'; it must not be a sum of columns of which some"):
        less_is_better(dict(name='mixed', sum=dict(a=1, b=1)), columns)


def test_table():
    finished = dict(Ours=seeds(93, 92, 91), Other=seeds(90, 94, 90), Late=seeds(90, first=2), None_=[])
    table = experiment('Other', 'Ours', 'Late', 'None_', statistics=('accuracy', 'regret'))
    table = Experiment(**{**vars(table), 'ours': 'Ours'})
    found = statistics_tables(table, finished)
    welch = stats.ttest_ind([93, 92, 91], [90, 94, 90], equal_var=False).pvalue
    mann = by_all_splits([93, 92, 91], [90, 94, 90])
    assert found['accuracy'] == [
        ['Ours', '3', '92.00 ± 1.00', '92.00', *[''] * 7],
        ['Other', '3', '91.33 ± 2.31', '90.00', '+0.67', '0.67', '2 of 3', f'{welch:.4f}', f'{min(1, 2 * welch):.4f}',
         f'{mann:.4f}', f'{min(1, 2 * mann):.4f}'],  # two columns have a p value
        ['Late', '1', '90.00 ± -', '90.00', '+2.00', '1.00', '1 of 1', '-', '-', '-', '-'],
        ['None_', '0', '- ± -', '-', '-', '-', '-', '-', '-', '-', '-']]
    assert found['regret'][1][4:7] == ['-0.67', '0.67', '2 of 3']
    assert all(len(cells) == len(HEADER) for rows in found.values() for cells in rows)


def test_report_and_degenerate_runs():
    finished = dict(Ours=seeds(93, 10, 91), Other=seeds(10, 19.9, 20))
    table = experiment('Ours', 'Other', degenerate=dict(evaluation='nb', metric='c10', below=20))
    text = full_report(table, finished)
    assert '| row | n | degenerate | accuracy | regret |' in text and '| Other | 3 | 2 of 3 | 16.63 ± 5.74 |' in text
    assert 'Degenerate: runs whose c10 is below 20.' in text and 'Regret is what is missing' in text
    assert '\n## accuracy\n' in text and 'Against "Ours", whose row is first' in text and 'ttest_1samp' not in text
    assert text == full_report(table, finished)
    assert '| None | 0 | - |' in full_report(experiment('None', degenerate=table.degenerate), {})
