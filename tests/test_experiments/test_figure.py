import pytest
from matplotlib.colors import to_hex

from imtnas_mm.experiments import Experiment
from imtnas_mm.experiments.figure import figure_points, report_figure

COLUMNS = [dict(name='error', evaluation='c10', metric='accuracy/top1', error=True),
           dict(name='top-1', evaluation='c10', metric='accuracy/top1')]
FIGURE = dict(x='rounds', left=['error'], right=['top-1'], log=False)
ROWS = [dict(name='four', x=4), dict(name='one', x=1), dict(name='two', x=2), dict(name='none', x=8)]


def result_of(top1):
    """A seed's results."""
    return dict(results=dict(c10=dict(test={'accuracy/top1': top1})))


FINISHED = dict(one=[result_of(90.)], two=[result_of(98.), result_of(96.)],
                four=[result_of(99.), result_of(97.), result_of(95.)])


def declared(**figure):
    return Experiment('figure', 'A figure', [0, 1, 2], ROWS, COLUMNS, None, {**FIGURE, **figure})


def test_points_are_in_the_order_of_x():
    """Mean and deviation of the runs there are; a row without one has no point."""
    points = figure_points(declared(), FINISHED)
    assert points['error'][1:] == [(2, 3., pytest.approx(2**.5), 2), (4, 3., 2., 3)]
    assert points['top-1'][0][:2] == (1, 90.) and points['top-1'][0][2] != points['top-1'][0][2]
    assert figure_points(declared(right=[]), FINISHED).keys() == {'error'}
    assert figure_points(declared(), {}) == {'error': [], 'top-1': []}


def bars(axes):
    """Per column on the axes: its line's points, and the ends of its error bars."""
    return {container.get_label(): (container[0].get_xydata().tolist(),
                                    [segment[:, 1].tolist() for segment in container[2][0].get_segments()])
            for container in axes.containers}


def test_figure_shows_the_points():
    figure = report_figure(declared(), figure_points(declared(), FINISHED))
    left, right = figure.axes
    assert bars(left) == {'error': ([[1, 10], [2, 3], [4, 3]], [
        [10, 10], pytest.approx([3 - 2**.5, 3 + 2**.5]), [1, 5]])}
    assert bars(right)['top-1'][0] == [[1, 90], [2, 97], [4, 97]]
    assert (left.get_xlabel(), left.get_ylabel(), right.get_ylabel()) == ('rounds', 'error', 'top-1')
    assert left.get_title().endswith('n = 1 to 3') and figure.get_suptitle() == 'A figure'
    assert list(left.get_xticks()) == [1, 2, 4] and left.get_xscale() == 'linear'
    colours = {to_hex(axes.containers[0][0].get_color()) for axes in (left, right)}
    assert len(colours) == 2 and [text.get_text() for text in figure.legends[0].get_texts()] == ['error', 'top-1']


def test_logarithmic_and_one_axis():
    declaration = declared(log=True, left=['error', 'top-1'], right=[])
    figure = report_figure(declaration, figure_points(declaration, dict(one=FINISHED['one'])))
    axes, = figure.axes
    assert axes.get_xscale() == 'log' and list(axes.get_xticks()) == [1]
    assert axes.get_ylabel() == 'error, top-1' and axes.get_title().endswith('n = 1')


def test_titles_fit():
    """The longest of the package's experiments."""
    title = 'Tuning the number of rounds (small): errors on the images held out'
    declaration = Experiment('figure', title, [0], ROWS, COLUMNS, None, FIGURE)
    figure = report_figure(declaration, figure_points(declaration, FINISHED))
    figure.canvas.draw()
    box = figure._suptitle.get_window_extent()
    assert box.x0 > 0 and box.x1 < figure.bbox.x1
