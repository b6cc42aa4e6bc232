"""The page without a browser: it is well formed, names no other file, and its numbers are those of the log."""
import json
import re
from pathlib import Path

import pytest

from helpers.html_page import Read
from imtnas_mm.search_report import PAGE, write_report
from imtnas_mm.search_report.charts import COLOURS, Curve, is_steep, line_chart, with_prefix
from imtnas_mm.search_report.page import page_of
from imtnas_mm.search_report.panels import MOST_POINTS, sections_of, thinned
from imtnas_mm.search_report.work_dir import SearchFolder, read_search


@pytest.fixture(scope='module')
def page(folder, tmp_path_factory):
    path = write_report(folder, tmp_path_factory.mktemp('page') / 'new' / PAGE)
    return Read(path.read_text())


def numbers(value):
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from numbers(part)
    elif isinstance(value, int | float):
        yield json.dumps(value)


def test_it_stands_alone(page):
    assert page.links_to_others() == []


def test_every_number_is_in_the_log(folder, page):
    search = read_search(folder)
    logged = {number for part in (search.training, list(search.validations.values()), search.lookups, search.history)
              for number in numbers(part)}
    shown = [cell for cell in page.cells if re.match(r'-?\d', cell) and ' to ' not in cell]
    assert len(shown) > 100 and set(shown) <= logged
    assert all(json.dumps(search.training[-2][name]) in shown for name in ('r2.c10/loss', 'transfer/active'))


def test_every_figure_has_its_panel(folder, page):
    names = [name for line in read_search(folder).training for name in line]
    shown = {json.dumps(value) for line in read_search(folder).training for name, value in line.items()
             if name not in ('epoch', 'iter', 'step')}
    assert 'mine/figure' in names and shown <= set(page.cells)
    for title in ('Loss of c10', 'Entropy of A', "Norm of A's gradient", "Cosine of A's gradient", 'Share of the chain',
                  'Pairs of the transfer', 'Transfer loss', 'Validation of c100', 'cost/macs', 'Seconds per iteration',
                  'Seconds per epoch', 'top1', 'mine/figure', '0 to 1', '2 to 3'):
        assert title in page.words, title


def test_what_the_search_said(page):
    text = '\n'.join(page.words)
    assert 'The transfer is <off>: no pair was active' in text and 'Architecture after epoch 3: |a|' in text
    assert '2026/01/01 02:00:00' not in text and '2 times' in text and "order=('c100', 'c10')" in text
    assert 'Search: tiny.py' in page.words and '3 of 3' in page.words


def test_a_search_without_history_and_picture():
    search = SearchFolder(Path('nowhere'), training=[{'time': 1., 'iter': 1, 'epoch': 1}])
    page = Read(page_of(search))
    assert any('no history of the choices' in word for word in page.words) and page.tags.count('figure') == 1


def test_long_curves_are_thinned():
    points = [(float(i), 0.) for i in range(10 * MOST_POINTS + 3)]
    short = thinned(points)
    assert short[-1] == points[-1] and len(short) <= MOST_POINTS and len({b[0] - a[0] for a, b in zip(
        short, short[1:], strict=False)}) == 1
    assert thinned(points[:MOST_POINTS]) == points[:MOST_POINTS] and thinned([]) == []


def test_values_that_no_chart_shows():
    lines = [{'a': value, 'time': 1., 'iter': i, 'epoch': 1} for i, value in enumerate(
        [1., float('nan'), 2., float('inf')])]
    panels = [panel for section in sections_of(SearchFolder(Path(), training=lines)) for panel in section.panels]
    assert [panel.curves[0].points for panel in panels if panel.title == 'a'] == [[(0, 1.), (2, 2.)]]


def test_charts():
    curves = [Curve(f'c{i}', [(0, 1.), (1, 10. ** i)], i) for i in range(3)]
    chart = line_chart(curves, 'a "label" <b>', 'iterations', (0, 1))
    zeros = [Curve('zeros', [(0, 0.), (1, 0.)])]
    assert is_steep(curves + zeros) and not is_steep(zeros) and not is_steep([Curve('', [(0, -1.), (1, 500.)])])
    assert '>100k<' in line_chart(curves + zeros, '', 'iterations', (0, 120000))
    assert is_steep(curves) and not is_steep(curves[:2]) and all(COLOURS[i] in chart for i in range(3))
    assert 'aria-label="a &quot;label&quot; &lt;b>"' in chart
    assert chart == line_chart(curves, 'a "label" <b>', 'iterations', (0, 1))
    assert all(i.startswith('x-') for i in re.findall(r'\sid="([^"]*)"', with_prefix(chart, 'x-')))
