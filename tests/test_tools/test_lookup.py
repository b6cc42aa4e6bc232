"""tools/lookup.py: the accuracies that a table has of an architecture, whichever way it is named."""
import pytest

from helpers import tiny_run as tiny
from helpers.grid_space import genotype, write_table
from imtnas_mm.genotype import save_genotype


@pytest.fixture
def table(tmp_path):
    return str(write_table(tmp_path / 'table.csv.gz'))


def printed(capsys, *args):
    tiny.tool('lookup').main([str(arg) for arg in args])
    return capsys.readouterr().out.splitlines()


def test_file_name_and_string(tmp_path, table, capsys):
    save_genotype(genotype('conv', 'none', 'skip', 'conv'), tmp_path / 'a.json')
    by_file = printed(capsys, tmp_path / 'a.json', '--table', table)
    string = 'grid:conv-none-skip-conv'
    assert by_file == printed(capsys, string, '--table', table) == [
        f'architecture: {string}',
        'metric      value  rank of 81  percentile     best     mean   regret',
        'c10       69.0000          22       73.75    90.00    50.00    21.00',
        'c100      30.5000          22       73.75    41.00    21.00    10.50']
    best = printed(capsys, 'grid_conv', '--table', table, '--metric', 'c100')
    assert [line.split()[:3] for line in best[2:]] == [['c100', '41.0000', '1']]


@pytest.mark.parametrize('args, told', [
    (['darts_v2'], "the architecture is of the space 'darts'; it must be of the table's, 'grid'"),
    (['grid:conv'], "architecture: 'grid:conv': 1 edges; there are 4"),
    (['nothing'], "architecture: 'nothing'; it must be"),
    (['grid_conv', '--metric', 'top1'], "line 1: the column 'top1' is missing"),
])
def test_what_is_refused(table, args, told):
    with pytest.raises(SystemExit) as error:
        tiny.tool('lookup').main([*args, '--table', table])
    assert str(error.value).startswith('lookup: ') and told in str(error.value)
