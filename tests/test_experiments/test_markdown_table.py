"""Tables in Markdown."""
from imtnas_mm.experiments.markdown_table import table_lines


def test_lines():
    lines = table_lines(('name', 'n'), [['a', '1'], ['b', '2']])
    assert lines == ['| name | n |', '|---|---|', '| a | 1 |', '| b | 2 |']


def test_without_rows():
    assert table_lines(['name'], []) == ['| name |', '|---|']
