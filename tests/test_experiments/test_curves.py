"""Accuracies over iterations and queries: the numbers, and the picture of them."""
from dataclasses import replace

import pytest

from imtnas_mm.experiments import Experiment
from imtnas_mm.experiments.curves import curves_figure, curves_of, has_curves, levels_of

COLUMNS = [dict(name='accuracy', evaluation='nb', metric='c10'),
           dict(name='regret', evaluation='nb', metric='regret/c10')]
TABLE = dict(file='a.csv', sha256='0', architectures=9, mean=dict(c10=50.), best=dict(c10=90.))


def run(axis, places, values):
    """A seed's results."""
    return dict(results=dict(nb=dict(test={}, table=TABLE, history={axis: places}, accuracies=dict(c10=values))))


FINISHED = dict(
    Searched=[run('iteration', [0, 20, 40], [10., 60., 80.]), run('iteration', [0, 20, 40], [20., 80., 90.])],
    Drawn=[run('queries', [1, 4, 5], [30., 70., 70.]), run('queries', [1, 2, 5], [50., 60., 60.])])


def declared(*curves):
    rows = [dict(name=name) for name in ('None', 'Searched', 'Drawn')]
    return Experiment('curves', 'Some curves', [0, 1], rows, COLUMNS, curves=list(curves))


def test_a_sampler_keeps_its_best_until_it_has_a_better_one():
    curves = curves_of(declared(), FINISHED, COLUMNS[0])
    assert curves['iteration'] == {'Searched': [
        (0, 15., pytest.approx(50**.5), 2), (20, 70., pytest.approx(200**.5), 2), (40, 85., pytest.approx(50**.5), 2)]}
    assert [(x, mean) for x, mean, *_ in curves['queries']['Drawn']] == [(1, 40.), (2, 45.), (4, 65.), (5, 65.)]
    regrets = curves_of(declared(), FINISHED, COLUMNS[1])
    assert [mean for _, mean, *_ in regrets['iteration']['Searched']] == [75., 20., 5.]


def test_drawn_rows():
    experiment = replace(declared('accuracy'), drawn_rows=['Drawn'])
    assert list(curves_of(experiment, FINISHED, COLUMNS[0])) == ['queries']


def test_levels_of_the_table():
    mean, best = 'random architecture (mean of the table)', 'best of the table'
    assert levels_of(FINISHED, COLUMNS[0]) == [(mean, 50., False), (best, 90., True)]
    assert levels_of(FINISHED, COLUMNS[1]) == [(mean, 40., False), (best, 0., True)]
    assert levels_of({}, COLUMNS[0]) == []
    costs = [dict(cost=1, architectures=1, mean=40.), dict(cost=2, architectures=3, mean=80.)]
    equal_cost = dict(settings=dict(without='none'), columns=dict(accuracy=dict(levels=costs)))
    assert levels_of(FINISHED, COLUMNS[0], equal_cost) == [
        (mean, 50., False), ('random architecture without none', 70., False), (best, 90., True)]
    assert len(levels_of(FINISHED, COLUMNS[1], equal_cost)) == 2  # no levels of this column


def test_figure():
    experiment = declared('accuracy', 'regret')
    figure = curves_figure(experiment, FINISHED)
    searched, drawn, *_ = figure.axes
    assert len(figure.axes) == 4 and searched.get_ylabel() == 'accuracy' and not drawn.get_ylabel()
    assert [line.get_gid() for line in searched.lines] == [
        'Searched', 'random architecture (mean of the table)', 'best of the table']
    assert searched.lines[0].get_xydata().tolist() == [[0, 15], [20, 70], [40, 85]]
    assert [line.get_ydata()[0] for line in searched.lines[1:]] == [50., 90.]
    assert drawn.lines[0].get_gid() == 'Drawn' and drawn.lines[0].get_drawstyle() == 'steps-post'
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ['Searched', 'random architecture (mean of the table)', 'best of the table', 'Drawn']
    figure = curves_figure(declared('accuracy'), dict(Searched=FINISHED['Searched'][:1]))
    assert len(figure.axes) == 1 and figure.axes[0].get_xlabel() == 'iterations of the search'


def test_whether_there_are_any():
    assert has_curves(declared('accuracy'), FINISHED)
    assert not has_curves(declared(), FINISHED) and not has_curves(declared('accuracy'), {})


def test_each_of_many_rows_has_a_look_of_its_own():
    """Colour and style together; only ours has a band, the others a bar at their end."""
    names = [f'row {i}' for i in range(24)]
    finished = {name: [run('iteration', [0, 10], [float(i), 50. + i])] * 2 for i, name in enumerate(names[4:20])}
    experiment = Experiment('many', 'Many', [0, 1], [dict(name=name) for name in names], COLUMNS, ours='row 7',
                            curves=['accuracy'])
    axes, = curves_figure(experiment, finished).axes
    lines = [line for line in axes.lines if str(line.get_gid()).startswith('row')]
    assert [line.get_gid() for line in lines] == names[4:20]
    assert len({(line.get_color(), str(line._dash_pattern)) for line in lines}) == 16
    assert len(axes.containers) == 15 and sum(line.get_linewidth() > 2 for line in lines) == 1
