"""NAS-Bench-201's own table, where it is: known figures, equal cells, and what random search finds on average."""
import pytest
import torch

from helpers import tiny_run as tiny
from imtnas_mm.registry import MODELS
from imtnas_mm.tables.accuracy import TableError, read_table

FILE = tiny.ROOT / 'data' / 'nasbench' / 'nasbench201.csv.gz'
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason=f'{FILE.name} is not in data/nasbench (docs/comparisons.md)')
METRICS = ('cifar10', 'cifar100', 'imagenet16_120')


@pytest.fixture(scope='module')
def table():
    return read_table(FILE, METRICS)


def cell(*operations):
    first, second, third, fourth, fifth, sixth = operations
    return f'|{first}~0|+|{second}~0|{third}~1|+|{fourth}~0|{fifth}~1|{sixth}~2|'


C3, SKIP, NONE = 'nor_conv_3x3', 'skip_connect', 'none'


@pytest.mark.parametrize('string, known', [
    (cell(*[SKIP] * 6), (54.30, 15.61, 16.32)), (cell(C3, C3, C3, SKIP, C3, C3), (94.36, 73.51, 46.34)),
    (cell(*[NONE] * 6), (10., 1., .83))])
def test_known_figures(table, string, known):
    """Dong and Yang, ICLR 2020, and the benchmark's own report of them."""
    found = table.lookup(string)
    assert [found[metric] for metric in METRICS] == pytest.approx(known, abs=.0151)
    assert len(table) == 15625


def test_equal_cells_are_what_the_table_says(table):
    """A convolution from a node that nothing reaches computes nothing; its string has its own line."""
    dead = cell(NONE, NONE, C3, NONE, C3, NONE)
    assert table.lookup(dead)['cifar10'] == pytest.approx(10., abs=.01)
    with pytest.raises(TableError):
        table.lookup(dead.replace('~1', '~2', 1))


def test_random_search_finds_the_mean(table):
    """3,000 draws of A, derived, with and without ``none``: the mean of all cells, and of those without it."""
    for derive_none in (True, False):
        torch.manual_seed(0)
        space = MODELS.build(dict(type='imtnas_mm.NASBench201Supernet', channels=4, cells=1, derive_none=derive_none))
        (name, shape), = space.alpha_shapes().items()
        found = torch.tensor([table.lookup(space.derive({name: torch.randn(shape)}))['cifar100'] for _ in range(3000)])
        strings = table.strings if derive_none else table.strings_without('none')
        values = torch.tensor([table.lookup(string)['cifar100'] for string in strings])
        assert len(values) == (15625 if derive_none else 4096)
        error = (found.std() / len(found)**.5).item()
        assert found.mean().item() == pytest.approx(values.mean().item(), abs=3 * error)
