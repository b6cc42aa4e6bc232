"""A tabular benchmark is read as it stands, and whatever is wrong with it is refused by file and line."""
import re
import time

import pytest

from helpers.grid_space import ARCHITECTURES, accuracies, genotype, to_string, write_table
from imtnas_mm.genotype import published_genotype
from imtnas_mm.tables.accuracy import TableError, read_table

CONV, NONE = 'grid:conv-conv-conv-conv', 'grid:none-none-none-none'
HEADER = 'architecture,c10,c100'


@pytest.fixture
def table(tmp_path):
    return read_table(write_table(tmp_path / 'table.csv.gz'))


def test_every_architecture_is_found_by_genotype_and_by_string(table):
    assert (len(table), table.space, table.metrics) == (81, 'grid', ('c10', 'c100'))
    for architecture in ARCHITECTURES:
        found = table.lookup(genotype(*architecture['edges']))
        assert found == table.lookup(to_string(architecture)) == dict(
            zip(('c10', 'c100'), accuracies(architecture['edges']), strict=True))
    assert CONV in table and 'grid:conv' not in table


def test_mean_best_and_standing(table):
    assert (table.mean('c10'), table.best('c10'), table.best('c100')) == (50., 90., 41.)
    best, worst = (table.standing(string)['c10'] for string in (CONV, NONE))
    assert (best.value, best.rank, best.percentile, best.regret) == (90., 1, 100., 0.)
    assert (worst.value, worst.rank, worst.percentile, worst.regret) == (10., 81, 0., 80.)
    middle = table.standing(genotype('skip', 'skip', 'skip', 'skip'))['c100']
    assert (middle.value, middle.rank, middle.percentile, middle.regret) == (21., 41, 50., 20.)


def test_equal_values_share_the_better_rank(tmp_path):
    rows = [f'grid:conv-conv-conv-{name},{value}' for name, value in (('none', 5), ('skip', 7), ('conv', 7))]
    table = read_table(write_table(tmp_path / 'a.csv', rows, 'architecture,c10'))
    ranks = [table.standing(string)['c10'].rank for string in table.strings]
    assert ranks == [3, 1, 1]
    assert [table.standing(string)['c10'].percentile for string in table.strings] == [0., 100., 100.]


def test_metrics_are_chosen_and_others_are_not_read(tmp_path):
    file = write_table(tmp_path / 'a.csv', [f'{CONV},90,by hand'], 'architecture,c10,note')
    assert read_table(file, ['c10']).metrics == ('c10', )
    with pytest.raises(TableError, match="line 2: note: 'by hand'; it must be a finite number"):
        read_table(file)
    with pytest.raises(TableError, match=re.escape(f"{file}: line 1: the column 'c100' is missing; it has "
                                                   'architecture, c10, note')):
        read_table(file, ['c100'])


def test_a_changed_file_is_read_again(tmp_path):
    file = write_table(tmp_path / 'a.csv', [f'{CONV},90,1'], HEADER)
    assert read_table(file) is read_table(file)
    before = read_table(file)
    write_table(file, [f'{CONV},80.5,1'], HEADER)
    assert read_table(file).lookup(CONV)['c10'] == 80.5 and read_table(file).sha256 != before.sha256


@pytest.mark.parametrize('rows, header, told', [
    ([], HEADER, 'line 2: is missing; a table has at least one architecture'),
    ([f'{CONV},1'], 'cell,c10', "line 1: the column 'architecture' is missing; it has cell, c10"),
    ([f'{CONV}'], 'architecture', "line 1: architecture; a table has a metric beside 'architecture'"),
    ([f'{CONV},1,2'], 'architecture,c10,c10', "line 1: 'c10': is there twice"),
    ([f'{CONV},1'], HEADER, 'line 2: 2 cells; it must have 3, as the first line'),
    ([f'{CONV},1,nan'], HEADER, "line 2: c100: 'nan'; it must be a finite number"),
    ([f'{CONV},1,2', f'{NONE},,2'], HEADER, "line 3: c10: ''; it must be a finite number"),
    ([f'{CONV},1,2', f'{NONE},1e999,2'], HEADER, "line 3: c10: '1e999'; it must be a finite number"),
    ([f'{CONV},1,2', f'{NONE},1,2', f'{CONV},3,4'], HEADER,
     f"line 4: architecture: '{CONV}'; line 2 has this architecture already"),
    (['darts_v2,1,2'], HEADER, "line 2: architecture: 'darts_v2'; it must be in the notation of a registered space"),
    ([f'{CONV},1,2', 'darts_v2,1,2'], HEADER,
     "line 3: architecture: 'darts_v2'; it must be of the space grid, as line 2"),
    ([f'{CONV},1,2', 'grid:conv-pool-conv-conv,1,2'], HEADER,
     "line 3: architecture: 'grid:conv-pool-conv-conv'; 'pool'; an operation is one of none, skip, conv"),
    (['grid:conv,1,2'], HEADER, "line 2: architecture: 'grid:conv': 1 edges; there are 4"),
])
def test_what_is_refused(tmp_path, rows, header, told):
    file = write_table(tmp_path / 'a.csv', rows, header)
    with pytest.raises(TableError, match=re.escape(f'{file}: {told}')):
        read_table(file)


def test_architectures_that_are_not_in_it(tmp_path, table):
    with pytest.raises(TableError, match="the architecture is of the space 'darts'; it must be of the table's, 'grid'"):
        table.lookup(published_genotype('darts_v2'))
    small = read_table(write_table(tmp_path / 'a.csv', [f'{CONV},1,2'], HEADER))
    with pytest.raises(TableError, match=re.escape(f'a.csv: {NONE!r}; it must be one of the 1 architectures')):
        small.lookup(genotype(*['none'] * 4))
    with pytest.raises(TableError, match="line 1: 'top1'; it must be one of the metrics c10, c100"):
        table.check_metrics(['c10', 'top1'])


@pytest.mark.parametrize('content', [None, b'no gzip', b'\xff\xfe'])
def test_files_that_are_no_table(tmp_path, content):
    for name in ('a.csv', 'a.csv.gz'):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(TableError, match=re.escape(str(tmp_path / name))):
            read_table(tmp_path / name)


def test_a_large_table_is_read_at_once(tmp_path):
    """As long as NAS-Bench-201's, whose 15,625 rows are to take far less than a second."""
    file = write_table(tmp_path / 'a.csv')
    begin = time.process_time()
    for i in range(20):  # 1,620 rows
        write_table(file, header=f'index,architecture,c10,c100{i}')
        assert len(read_table(file)) == 81
    assert (time.process_time() - begin) * 15625 / 1620 < 3
