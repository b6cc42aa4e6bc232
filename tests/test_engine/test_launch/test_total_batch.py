"""The total batch of a training against the one that its config declares."""
import pytest
from mmengine.config import Config

from helpers import tiny_run as tiny
from helpers.tiny_run import data, no_pictures, quick_runs  # noqa: F401
from imtnas_mm.engine.launch.total_batch import declared_batches, other_batches


def single(batch_size=16, base=None, **fields):
    loader = dict(dataset=dict(), **({} if batch_size is None else dict(batch_size=batch_size)))
    declared = {} if base is None else dict(auto_scale_lr=dict(base_batch_size=base))
    return Config(dict(train_dataloader=loader, **declared, **fields))


def of_tasks(base, **sizes):
    return Config(dict(auto_scale_lr=dict(base_batch_size=base), train_dataloader={
        task: dict(batch_size=size, dataset=dict()) for task, size in sizes.items()}))


@pytest.mark.parametrize('cfg, processes', [
    (single(16, 128), 8), (single(128, 128), 1), (single(None, 2), 2), (single(16), 3),
    (single(16, 128, optim_wrapper=dict(accumulative_counts=4)), 2),
    (of_tasks(dict(cls=1024, det=16), cls=128, det=2), 8), (of_tasks(dict(cls=4), cls=2, det=7), 2),
    (Config(dict()), 4),
])
def test_right_ones(cfg, processes):
    assert other_batches(cfg, processes) == []


@pytest.mark.parametrize('cfg, processes, text, size, right', [
    (single(128, 1024), 1, 'train_dataloader.batch_size: 128; with 1 process an iteration has 128 examples, but the '
     'config was written for 1024 (auto_scale_lr.base_batch_size)', 1024, 8),
    (single(128, 1024), 2, 'train_dataloader.batch_size: 128; with 2 processes an iteration has 256 examples, but the '
     'config was written for 1024 (auto_scale_lr.base_batch_size)', 512, 8),
    (single(128, 1024), 3, '3 processes an iteration has 384 examples', None, 8),
    (single(100, 1024), 2, 'an iteration has 200 examples', 512, None),
    (single(8, 128, optim_wrapper=dict(accumulative_counts=4)), 2, 'train_dataloader.batch_size: 8; with 2 processes '
     'and 4 accumulated batches an iteration has 64 examples, but', 16, 4),
    (of_tasks(dict(cls=1024, det=4), cls=128, det=2), 2, 'train_dataloader.cls.batch_size: 128; with 2 processes an '
     'iteration has 256 examples, but the config was written for 1024 (auto_scale_lr.base_batch_size.cls)', 512, 8),
])
def test_others(cfg, processes, text, size, right):
    batch, = other_batches(cfg, processes)
    assert text in str(batch) and (batch.right_batch_size, batch.right_processes) == (size, right)
    if size:
        assert batch.processes * batch.accumulated * size == batch.written_for
    if right:
        assert right * batch.accumulated * batch.batch_size == batch.written_for


def test_a_rate_that_is_scaled_fits_any_batch():
    cfg = single(128, 1024)
    assert len(other_batches(cfg, 1)) == 1
    cfg.auto_scale_lr.enable = True
    assert other_batches(cfg, 1) == []


def test_what_is_declared():
    assert {name: (field, total) for name, (_, field, total) in declared_batches(
        of_tasks(dict(cls=4), cls=2, det=7)).items()} == {
            'train_dataloader.cls': ('auto_scale_lr.base_batch_size.cls', 4), 'train_dataloader.det': (None, None)}


@pytest.mark.parametrize('cfg, message', [
    (of_tasks(16, cls=2, det=2), r'^auto_scale_lr.base_batch_size: 16; .* dict\(cls=16, det=16\)$'),
    (of_tasks(dict(cls=0), cls=2), r'^auto_scale_lr.base_batch_size.cls: 0; it must be a whole number from 1'),
    (single(2, '8'), "^auto_scale_lr.base_batch_size: '8'; it must be a whole number from 1"),
    (single(2, dict(cls=8)), "^auto_scale_lr.base_batch_size: {'cls': 8}; it must be a whole number"),
])
def test_wrong_declarations(cfg, message):
    with pytest.raises(ValueError, match=message):
        other_batches(cfg, 1)


def test_a_training_warns(data, tmp_path):  # noqa: F811
    """And does as it was told."""
    fields = tiny.search_fields(data, ('cls', ), rounds=1, max_epochs=1, epoch_length=1)
    size = fields['train_dataloader']['cls']['batch_size']
    for name, base in (('right', size), ('other', 8 * size)):
        config = tiny.write_config(tmp_path / f'{name}.py', 'imtnas_demo.py', **fields,
                                   auto_scale_lr=dict(base_batch_size=dict(cls=base)))
        tiny.run('train', config, '--work-dir', tmp_path / name)
        assert list((tmp_path / name).glob('epoch_1.pth'))
    warning = (f'train_dataloader.cls.batch_size: {size}; with 1 process an iteration has {size} examples, but the '
               f'config was written for {8 * size} (auto_scale_lr.base_batch_size.cls). Its learning rates may not '
               f'fit. Right would be train_dataloader.cls.batch_size={8 * size} or 8 process(es); if {size} is meant, '
               f'set auto_scale_lr.base_batch_size.cls={size}')
    assert warning in tiny.log_text(tmp_path / 'other')
    assert 'was written for' not in tiny.log_text(tmp_path / 'right')
