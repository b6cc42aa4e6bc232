"""The strip plot of an experiment: a point per run, rows by their means, the levels of the table."""
from dataclasses import replace

import pytest

from imtnas_mm.experiments import Experiment
from imtnas_mm.experiments.strips import has_strips, strips_figure, strips_of

COLUMNS = [dict(name='accuracy', evaluation='nb', metric='c10', error=False, scale=1),
           dict(name='regret', evaluation='nb', metric='regret/c10', error=False, scale=1)]
TABLE = dict(file='a.csv', sha256='0', architectures=9, mean=dict(c10=50.), best=dict(c10=90.))


def run(seed, value):
    return dict(seed=seed, results=dict(nb=dict(test={'c10': value, 'regret/c10': 90. - value}, table=TABLE)))


FINISHED = dict(Low=[run(0, 20.), run(1, 40.)], High=[run(0, 80.)], Middle=[run(0, 60.), run(1, 50.)])
EXPERIMENT = Experiment('strips', 'Some runs', [0, 1], [dict(name=name) for name in ('None', 'Low', 'High', 'Middle')],
                        COLUMNS, ours='Middle', strips=['accuracy', 'regret'])


@pytest.mark.parametrize('column, values', [
    ('accuracy', [('High', [80.]), ('Middle', [60., 50.]), ('Low', [20., 40.])]),
    ('regret', [('High', [10.]), ('Middle', [30., 40.]), ('Low', [70., 50.])])])
def test_the_best_row_is_first(column, values):
    assert strips_of(EXPERIMENT, FINISHED, column) == values


def test_figure():
    figure = strips_figure(EXPERIMENT, FINISHED)
    accuracy, regret = figure.axes
    assert [text.get_text() for text in accuracy.get_yticklabels()] == ['High', 'Middle', 'Low']
    points = {line.get_gid(): line for line in accuracy.lines if line.get_gid() in FINISHED}
    assert points['Low'].get_xydata().tolist() == [[20, 2], [40, 2]]
    assert points['Middle'].get_color() != points['Low'].get_color() == points['High'].get_color()
    assert [line.get_xdata()[0] for line in accuracy.lines if line.get_linestyle() == '-.'] == [50., 90.]
    assert [line.get_xdata()[0] for line in regret.lines if line.get_linestyle() == '-.'] == [40., 0.]
    assert accuracy.get_ylim()[0] > accuracy.get_ylim()[1] and regret.get_xlabel() == 'regret'


def test_drawn_rows():
    experiment = replace(EXPERIMENT, drawn_rows=['Low', 'Middle'])
    assert [row for row, _ in strips_of(experiment, FINISHED, 'accuracy')] == ['Middle', 'Low']


def test_whether_there_are_any():
    assert has_strips(EXPERIMENT, FINISHED)
    assert not has_strips(EXPERIMENT, {}) and not has_strips(replace(EXPERIMENT, strips=[]), FINISHED)
