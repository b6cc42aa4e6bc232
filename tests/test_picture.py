"""Drawing functions of all pictures."""
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from imtnas_mm.picture import put_title


@pytest.mark.parametrize('width', [5, 7.2, 9.2])
@pytest.mark.parametrize('text', ['Short', 'MTL-HWS, WWW and MMM: WIDE LETTERS OF AN EXPERIMENT ' * 3])
def test_a_title_stays_in_its_figure(width, text):
    figure = Figure(figsize=(width, 3))
    canvas = FigureCanvasAgg(figure)
    put_title(figure, text)
    (title, ) = figure.findobj(lambda artist: getattr(artist, 'get_text', str)().startswith(text[:5]))
    box = title.get_window_extent(canvas.get_renderer())
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width
    assert title.get_text().split() == text.split()
