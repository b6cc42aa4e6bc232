"""RetrainLoop: a retraining that was stopped and resumed ends, bit for bit, as one that wasn't."""
import pytest
import torch
from torch.utils.data import DataLoader

from helpers import retrainings
from helpers import tiny_run as tiny
from helpers.search_state import differences
from imtnas_mm.checkpoint import CheckpointError
from imtnas_mm.engine import RetrainLoop

ITERATIONS = dict(cells=12, dropout=8, detection=8)
WORKERS = {
    0: ['train_dataloader.num_workers=0'],
    2: ['train_dataloader.num_workers=2'],
    'persistent': ['train_dataloader.num_workers=2', 'train_dataloader.persistent_workers=True'],
}


@pytest.fixture(scope='module', params=list(retrainings.KINDS))
def whole(request, data, tmp_path_factory):
    """Kind, config and work dir of a retraining that ran without a stop."""
    folder = tmp_path_factory.mktemp('whole')
    config = retrainings.write_config(folder / 'tiny.py', data, request.param)
    tiny.run('train', config, '--work-dir', folder / 'work')
    return request.param, config, folder / 'work'


def assert_ends_alike(work, whole, kind):
    last = ITERATIONS[kind]
    for name in (f'iter_{last}', 'epoch_2'):
        assert differences(retrainings.state(whole / f'{name}.pth'), retrainings.state(work / f'{name}.pth')) == []
    expected, actual = retrainings.logged(whole), retrainings.logged(work)
    assert list(expected) == list(range(1, last + 1))
    assert actual and all(figures == expected[iteration] for iteration, figures in actual.items())


@pytest.mark.parametrize('start, workers', [('iter_1', 0), ('epoch_1', 2), ('iter_5', 'persistent'), ('half', 0)])
def test_resumed_ends_as_the_whole_training(whole, tmp_path, start, workers):
    kind, config, work = whole
    start = start.replace('half', f'iter_{ITERATIONS[kind] // 2}')  # the end of an epoch, before its end is counted
    options = ['randomness.seed=5', *WORKERS[workers]]  # the seed is the checkpoint's
    tiny.run('train', config, '--work-dir', tmp_path, '--resume', work / f'{start}.pth', options=options)
    assert_ends_alike(tmp_path, work, kind)


def test_fields_are_those_of_mmengine(data, tmp_path):
    """When it is validated."""
    config = retrainings.write_config(tmp_path / 'tiny.py', data, 'dropout', custom_hooks=[], train_cfg=dict(
        max_epochs=4, val_begin=2, val_interval=2, dynamic_intervals=[(3, 1)]))
    validated = {}
    for loop in ('imtnas_mm.RetrainLoop', 'EpochBasedTrainLoop'):
        tiny.run('train', config, '--work-dir', tmp_path / loop, options=[f'train_cfg.type={loop}'])
        validated[loop] = [line['step'] for line in tiny.scalars(tmp_path / loop) if 'iter' not in line]
    assert validated['imtnas_mm.RetrainLoop'] == validated['EpochBasedTrainLoop'] == [2, 3, 4]


def test_resume_refuses_epochs_of_another_length(whole, tmp_path):
    kind, config, work = whole
    with pytest.raises(CheckpointError, match=r'iter_1.pth: its training had epochs of \d iterations by 1 processes; '
                                              r'here they have \d+ by 1. Resume it with the dataset, the batch size'):
        tiny.run('train', config, '--work-dir', tmp_path, '--resume', work / 'iter_1.pth',
                 options=['train_dataloader.batch_size=1'])


def test_resume_between_two_steps_of_the_optimiser_is_warned_of(data, tmp_path):
    config = retrainings.write_config(tmp_path / 'tiny.py', data, 'dropout', optim_wrapper=dict(accumulative_counts=2))
    tiny.run('train', config, '--work-dir', tmp_path / 'whole')
    for start, warned in (('iter_3', True), ('iter_2', False)):
        work = tmp_path / start
        tiny.run('train', config, '--work-dir', work, '--resume', tmp_path / 'whole' / f'{start}.pth')
        assert ('between two steps of the optimiser (optim_wrapper.accumulative_counts=2)' in tiny.log_text(work)) \
            == warned
        assert (differences(retrainings.state(tmp_path / 'whole' / 'epoch_2.pth'),
                            retrainings.state(work / 'epoch_2.pth')) == []) != warned


def test_a_built_dataloader_is_run_as_it_is_but_not_resumed(data, tmp_path):
    runner = tiny.runner_of(retrainings.write_config(tmp_path / 'tiny.py', data, 'dropout'), tmp_path / 'work')
    loader = DataLoader(torch.zeros(3))
    loop = RetrainLoop(runner, loader, max_epochs=1)
    assert loop.dataloader is loop.batches(0) is loader
    loop._iter = 1
    with pytest.raises(CheckpointError, match='was given a dataloader that is built'):
        loop.start()
