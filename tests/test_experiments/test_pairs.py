"""Pairs of rows seed by seed: against figures counted by hand and scipy's own tests."""
import math

import pytest
from scipy import stats

from imtnas_mm.experiments import Experiment
from imtnas_mm.experiments.pairs import HEADER, pairs_table, pairs_text, wilcoxon
from imtnas_mm.experiments.report import p_text

COLUMNS = [dict(name='accuracy', evaluation='nb', metric='c10', error=False, scale=1),
           dict(name='regret', evaluation='nb', metric='regret/c10', error=False, scale=1)]
A = {0: 50., 1: 60., 2: 70., 3: 80., 4: 55., 5: 66.}
B = {0: 50., 1: 58., 2: 60., 3: 81., 4: 50., 6: 90.}  # five seeds in common, one of them alike


def runs(values):
    return [dict(seed=seed, results=dict(nb=dict(test={'c10': value, 'regret/c10': 95. - value})))
            for seed, value in values.items()]


FINISHED = dict(a=runs(A), b=runs(B), c=runs(A))
EXPERIMENT = Experiment('pairs', 'Pairs', list(range(7)), [dict(name=name) for name in 'abcd'], COLUMNS, pairs=dict(
    columns=['accuracy', 'regret'], rows=[('a', 'b'), ('a', 'c'), ('a', 'd')]))


def test_a_row():
    table = pairs_table(EXPERIMENT, FINISHED, 'accuracy')
    row = dict(zip(HEADER, table[0], strict=True))
    p = stats.wilcoxon([2., 10., -1., 5.]).pvalue
    assert (row['row'], row['against'], row['n'], row['better'], row['worse']) == ('a', 'b', '5', '3', '1')
    assert row['difference'] == f'{sum(A.values()) / 6 - sum(B.values()) / 6:+.2f}'
    assert row['A'] == f'{sum((x > y) + .5 * (x == y) for x in A.values() for y in B.values()) / 36:.2f}'
    assert row['p (Wilcoxon)'] == row['Holm'] == p_text(p)  # the only test: others have no differences or no runs
    welch = stats.ttest_ind(list(A.values()), list(B.values()), equal_var=False).pvalue
    assert row['p (Welch)'] == p_text(welch)
    assert table[1][5:7] == ['0', '0'] and table[1][-1] == p_text(math.nan) and table[2][2] == '0'


def test_less_regret_is_better():
    row = dict(zip(HEADER, pairs_table(EXPERIMENT, FINISHED, 'regret')[0], strict=True))
    accuracy = dict(zip(HEADER, pairs_table(EXPERIMENT, FINISHED, 'accuracy')[0], strict=True))
    assert (row['better'], row['worse'], row['A']) == (accuracy['better'], accuracy['worse'], accuracy['A'])
    assert pairs_text(EXPERIMENT, FINISHED).count('## Pairs of rows: ') == 2


def test_wilcoxon():
    assert wilcoxon([1., 2., 3.], [1., 1., 5.]) == pytest.approx(stats.wilcoxon([1., -2.]).pvalue)
    assert math.isnan(wilcoxon([1.], [1.]))
