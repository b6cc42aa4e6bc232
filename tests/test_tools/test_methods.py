"""The search methods by ``model.type`` alone, end to end: search, resume, derive."""
import pytest
import torch

from helpers import tiny_run as tiny
from helpers.search_state import differences, losses, state
from helpers.tiny_run import no_pictures  # noqa: F401
from imtnas_mm.genotype import load_genotype


@pytest.fixture(scope='module')
def config(data, tmp_path_factory):
    fields = tiny.search_fields(data, rounds=2, max_epochs=2, epoch_length=1, val_begin=2)
    return tiny.write_config(tmp_path_factory.mktemp('methods') / 'tiny.py', 'imtnas_demo.py', **fields)


@pytest.mark.parametrize('method', ['MTLSAO', 'MTLSWS', 'MTLHWS', 'MTLNAS', 'MinibatchInterleaving', 'RandomSearch'])
def test_a_method_searches_resumes_and_derives(config, tmp_path, method):
    options = [f'model.type={method}']
    whole, resumed = tmp_path / 'whole', tmp_path / 'resumed'
    tiny.run('train', config, '--work-dir', whole, options=options)
    assert load_genotype(whole / 'architecture.json').source['method'] == method
    tiny.run('train', config, '--work-dir', resumed, '--resume', whole / 'epoch_1.pth', options=options)
    one, other = (tiny.checkpoint(folder / 'epoch_2.pth')['state_dict'] for folder in (whole, resumed))
    # the loss scale of what never judged A is NaN
    torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


@pytest.mark.slow
def test_separate_interleaving_resumes_within_a_segment_and_between_two(config, tmp_path):
    options = ['model.type=SeparateInterleaving', 'train_cfg.max_epochs=4', 'train_cfg.epoch_length=2',
               'train_cfg.val_begin=4',
               'default_hooks.checkpoint.by_epoch=False', 'default_hooks.checkpoint.max_keep_ckpts=-1']
    whole = tmp_path / 'whole'
    tiny.run('train', config, '--work-dir', whole, options=options)
    names = ('r1.cls', 'r1.det', 'r2.cls', 'r2.det')
    for iteration, (line, ) in losses(whole).items():
        # once logged, a figure is logged again until it has a new value
        assert {name for name in names if f'{name}/loss' in line} == set(names[:(iteration - 1) // 2 + 1])
    assert 'segment 4 of 4: r2.det goes on from cls' in tiny.log_text(whole)
    for start in (3, 4):  # of segments of 2 iterations
        resumed = tmp_path / f'from{start}'
        tiny.run('train', config, '--work-dir', resumed, '--resume', whole / f'iter_{start}.pth', options=options)
        assert differences(state(whole / 'iter_8.pth'), state(resumed / 'iter_8.pth')) == []
        for iteration, (line, ) in losses(resumed).items():
            if iteration > start:
                assert line == losses(whole)[iteration][0]


def test_separate_interleaving_needs_an_epoch_a_segment(config, tmp_path):
    runner = tiny.runner_of(config, tmp_path, options=['model.type=SeparateInterleaving', 'train_cfg.max_epochs=3'])
    with pytest.raises(ValueError, match='train_cfg.max_epochs=3: .* so it must be 4 or more'):
        runner.train()
