"""The page in headless Chromium, at the widths of a laptop and of a phone: every panel is drawn, nothing complains."""
import html
import json
import re
import shutil
import subprocess

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from imtnas_mm.experiments.markdown_table import table_lines
from imtnas_mm.experiments.page import experiment_page
from imtnas_mm.picture import write_picture
from imtnas_mm.search_report import write_report

BROWSER = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason='no Chromium is installed (apt-get install chromium)')
# added to a copy of the page: measures what the browser has drawn
MEASURE = """<script>
const box = element => { const r = element.getBoundingClientRect(); return [r.left, r.right, r.width, r.height]; };
const figures = [...document.querySelectorAll('figure')].map(figure => ({
  name: (figure.querySelector('figcaption') || {}).innerText || figure.className,
  box: box(figure), chart: box(figure.querySelector('svg')),
  lines: [...figure.querySelectorAll('svg path')].filter(path => path.getBBox().width > 20).length,
  scrolls: getComputedStyle(figure).overflowX == 'auto'}));
window.parent.document.body.dataset.measured = JSON.stringify({
  width: document.documentElement.clientWidth, content: document.documentElement.scrollWidth, figures});
</script>"""


@pytest.fixture(scope='module')
def page(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp('browser') / 'page.html'
    write_report(folder, path)
    path.write_text(path.read_text().replace('</body>', f'{MEASURE}</body>'))
    return path


def opened(page, width, folder):
    """(what the page has measured, what the console said). Its frame may be narrower than any window of Chromium."""
    frame = folder / 'frame.html'
    frame.write_text(f'<!DOCTYPE html><link rel="icon" href="data:,"><body><iframe src="{page.as_uri()}" '
                     f'style="width: {width}px; height: 900px; border: 0"></iframe></body>')
    done = subprocess.run(
        [BROWSER, '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--enable-logging=stderr',
         '--allow-file-access-from-files', f'--user-data-dir={folder / "profile"}', '--window-size=1500,950',
         '--dump-dom', frame.as_uri()],
        capture_output=True, text=True, timeout=120, check=True)
    measured = re.search('data-measured="([^"]*)"', done.stdout)
    assert measured, done.stderr
    return json.loads(html.unescape(measured[1])), [line for line in done.stderr.splitlines() if 'CONSOLE' in line]


@pytest.mark.parametrize('width', [1366, 390])
def test_every_panel_is_drawn(page, width, tmp_path):
    measured, console = opened(page, width, tmp_path)
    assert console == [] and measured['content'] <= measured['width'] <= width
    figures = measured['figures']
    assert len(figures) == page.read_text().count('<figure') > 20
    for figure in figures:
        left, right, _, _ = figure['box']
        assert figure['lines'] > 0 and figure['chart'][2] > 100 and figure['chart'][3] > 50, figure
        assert 0 <= left and right <= width, figure
        assert figure['chart'][1] <= right or figure['scrolls'], figure


def test_the_check_sees_the_console(page, tmp_path):
    other = tmp_path / 'other.html'
    other.write_text(page.read_text().replace('<script>', '<script>console.error("wrong");'))
    assert 'wrong' in ' '.join(opened(other, 1366, tmp_path)[1])


@pytest.mark.parametrize('width', [1366, 390])
def test_the_page_of_an_experiment(width, tmp_path):
    """Its wide tables and figures scroll in their boxes."""
    rows = [[f'row {i}', *['69.41 ± 1.80'] * 12] for i in range(20)]
    text = '\n'.join(['# Methods', '', *table_lines(['row', *['a long name of a column'] * 12], rows), '', 'A note.',
                      '', '## CIFAR-100', '', *table_lines(['row', 'n'], [['a', '10']])])
    picture = Figure(figsize=(10.4, 6))
    FigureCanvasAgg(picture)
    picture.subplots().plot(range(100))
    pictures = [path for path in write_picture(tmp_path / 'curves', lambda: picture) if path.suffix == '.svg']
    page = tmp_path / 'experiment.html'
    page.write_text(experiment_page('Methods', text, pictures, [('a', 'runs/a/report.html')]).replace(
        '</body>', f'{MEASURE}</body>'))
    measured, console = opened(page, width, tmp_path)
    assert console == [] and measured['content'] <= measured['width'] <= width
    figure, = measured['figures']
    left, right, _, _ = figure['box']
    assert figure['lines'] > 0 and 0 <= left and right <= width and figure['chart'][2] > 300
    assert figure['chart'][1] <= right or figure['scrolls']
