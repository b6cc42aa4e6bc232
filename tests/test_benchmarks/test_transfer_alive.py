"""The benchmark of transfers measures a config on given data, and names data that are missing."""
import sys
from pathlib import Path

import pytest
import torch

from helpers.cifar_files import write_cifar

sys.path.insert(0, str(Path(__file__).parents[2] / 'benchmarks'))
import paper_searches  # noqa: E402
import transfer_alive  # noqa: E402

NAME = 'imtnas_cifar_nasbench201_small'
paper_searches.imports()


def test_all_search_configs_are_measured():
    assert {'imtnas_cifar_darts', 'imtnas_cls_det', 'imtnas_demo', NAME} <= set(transfer_alive.names())


def test_missing_data_are_named(tmp_path):
    with pytest.raises(SystemExit, match=rf"cifar-10-batches-py is missing, which {NAME} needs for its task 'c10'"):
        transfer_alive.load(NAME, tmp_path)


def test_shares_by_hand():
    """Two sets far from two others; a student that sees none of it."""
    torch.manual_seed(0)
    teacher = torch.randn(4, 40, 3)
    teacher[:2] += 10
    student = torch.randn(4, 40, 3)
    options = dict(statistic='studentized', threshold=5., image_size=4, num_examples=4)
    for size in (3, 20):
        assert transfer_alive.shares(options, teacher, student, size) == pytest.approx([4 / 6, 4 / 6], abs=.05)
        assert transfer_alive.shares(options, teacher, teacher, size)[1] == 0


def recorded(figures_of, sizes):
    def measure(search, *args):
        sizes.append({len(record.data['inputs']) for record in search.model.records})
        return figures_of(search, *args)
    return measure


def test_a_config_is_measured(tmp_path, monkeypatch):
    write_cifar(tmp_path / 'cifar10')
    write_cifar(tmp_path / 'tiny100', 'cifar100', number=40, classes=100)
    monkeypatch.setattr(transfer_alive, 'VIEWS', 6)
    monkeypatch.setattr(transfer_alive, 'SIZES', (3, ))
    sizes = []
    monkeypatch.setattr(transfer_alive, 'figures_of', recorded(transfer_alive.figures_of, sizes))
    figures = transfer_alive.measure(NAME, tmp_path, iterations=1, seconds=60, batch_size=6)
    assert sizes == [{6}, {6}]  # of the batches of both tasks, at the start and in the end
    assert figures[f'{NAME}_iterations'] == 1
    for when in ('start', 'trained'):
        for case in ('', 'C3_', 'tau0.1_', 'tau100_'):
            for share in ('different', 'active', 'same'):
                assert 0 <= figures[f'{NAME}_{when}_{case}{share}'] <= 1
        assert figures[f'{NAME}_{when}_tau0.1_different'] == figures[f'{NAME}_{when}_tau100_different']


@pytest.mark.parametrize('name, value, expected', [
    ('x_start_different', .04, False), ('x_start_C3_active', .96, False), ('x_start_active', .5, True),
    ('x_start_same', .06, False), ('x_start_same', 0., True), ('x_iterations', 100, True)])
def test_ranges(name, value, expected):
    assert transfer_alive.in_range(name, value) is expected
