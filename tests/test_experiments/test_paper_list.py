"""Every table and figure of the paper has its experiment or the sentence why not, and the document says so."""
import re

import pytest

from helpers import tiny_run as tiny
from helpers.package_experiments import EXPERIMENTS, FOLDER, planned
from imtnas_mm.experiments.paper_list import (
    BESIDES,
    FIGURES,
    ITEMS,
    LOOKUP_PLACE,
    MAIN_PLACE,
    TABLES,
    Item,
    document,
    missing,
)

DOCS = tiny.ROOT / 'docs'


def test_all_tables_and_figures_are_there():
    named = [number for item in ITEMS for number in item.numbers()]
    assert set(named) == {('Table', i + 1) for i in range(TABLES)} | {('Figure', i + 1) for i in range(FIGURES)}
    assert [number for number in sorted(set(named)) if named.count(number) > 1] == [('Figure', 1)]  # left, right twice
    for item in ITEMS:
        assert item.experiment or item.configs or re.search(r'[a-z].*\.$', item.text), item.names


@pytest.mark.parametrize('names, numbers', [
    ('Table 2', [2]), ('Tables 17 and 18', [17, 18]), ('Figures 3 to 5', [3, 4, 5]), ('E.5', [])])
def test_numbers(names, numbers):
    assert [number for _, number in Item(names, '').numbers()] == numbers


def test_the_list_and_the_folder_have_the_same_experiments(tmp_path):
    assert missing(FOLDER, tiny.ROOT / 'configs') == []
    (tmp_path / 'table99_paper.py').touch()
    texts = missing(tmp_path, tmp_path)
    assert f'table99_paper: is in {tmp_path} and not in the list of the tables and figures' in texts
    assert f'table2_small: is in the list and not in {tmp_path}' in texts
    assert f'retrain/cells_imagenet.py: is in the list and not in {tmp_path}' in texts


@pytest.mark.parametrize('name', [
    name for name in EXPERIMENTS if not name.startswith('nasbench201') and name not in dict(BESIDES)])
def test_an_experiment_names_its_table(name):
    """In its title and its docstring."""
    items = [item for item in ITEMS if name in item.experiments()]
    text = (FOLDER / f'{name}.py').read_text().partition('\n')[0] + planned(name)[0].title
    for kind, number in items[0].numbers():
        if number in (first for item in items[:1] for _, first in list(item.numbers())[:1]):
            assert re.search(rf'{kind}s? {number}\b', text), (name, text)


def test_the_document_is_what_the_list_gives(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tiny.ROOT)
    tool = tiny.tool('comparisons')
    tool.main(['--check'])
    text = (DOCS / 'comparisons.md').read_text()
    assert '| Table 13 | `table13_*` |' in text and MAIN_PLACE not in text and LOOKUP_PLACE not in text
    out = tmp_path / 'out.md'
    with pytest.raises(SystemExit, match=r'out.md is not what .* give; tools/comparisons.py writes it'):
        tool.main(['--check', '--out', str(out)])
    tool.main(['--out', str(out)])
    assert out.read_text() == text
    (tmp_path / 'template.md').write_text(MAIN_PLACE)
    with pytest.raises(SystemExit, match='template.md: <!-- lookups -->: it must be in the template once'):
        tool.main(['--template', str(tmp_path / 'template.md')])
    assert document(f'a\n{MAIN_PLACE}b\n{LOOKUP_PLACE}').startswith('a\n| of the paper |')
