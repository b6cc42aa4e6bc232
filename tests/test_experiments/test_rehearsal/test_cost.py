"""What a training costs, against plain loops and mmengine's own sampler and hook."""
import math
from collections import deque
from types import SimpleNamespace

import pytest
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from torch.utils.data import DataLoader

from imtnas_mm.experiments.rehearsal.cost import (
    Part,
    checkpoints_of,
    full_batches,
    sampled_batches,
    validations_of,
)


def test_seconds_and_disk():
    part = Part([(10, 5, 2.), (40, 5, 3.)], validation=7., validations=4, checkpoint=11, checkpoints=3)
    assert part.seconds == 10 * 5 * 2 + 40 * 5 * 3 + 4 * 7 and part.disk == 33


@pytest.mark.parametrize('examples, batch, drop_last', [(10, 3, False), (10, 3, True), (12, 4, True), (3, 8, False)])
def test_batches(examples, batch, drop_last):
    assert sampled_batches(examples, batch, 1, drop_last) == len(
        DataLoader(list(range(examples)), batch, drop_last=drop_last))
    shares = [list(range(rank, math.ceil(examples / 2) * 2, 2)) for rank in range(2)]  # rounded up
    assert {sampled_batches(examples, batch, 2, drop_last)} == {
        len(DataLoader(share, batch, drop_last=drop_last)) for share in shares}
    assert full_batches(examples, batch) == max(examples // batch, 1)
    assert full_batches(100, 8, 4) == 3 and full_batches(10, 8, 4) == 1


def test_validations():
    assert validations_of(dict(max_epochs=50, val_interval=5)) == 10
    assert validations_of(dict(max_epochs=12)) == 12
    assert validations_of(dict(max_epochs=11, val_begin=5, val_interval=4)) == 2  # after 8 and the last
    assert validations_of(dict(max_epochs=3, val_interval=10)) == 1


@pytest.mark.parametrize('options', [
    dict(interval=1, max_keep_ckpts=3), dict(interval=4), dict(interval=4, save_last=False), dict(interval=5),
    dict(interval=3, max_keep_ckpts=2, save_last=False), dict(interval=7, by_epoch=False), dict()], ids=str)
def test_checkpoints_that_are_kept(tmp_path, options):
    """As the hook writes and removes them in a training of 10 epochs with 3 iterations."""
    runner = SimpleNamespace(
        epoch=0, iter=0, max_epochs=10, max_iters=30, work_dir=str(tmp_path), logger=SimpleNamespace(
            info=lambda text: None), message_hub=SimpleNamespace(
                update_info=lambda *_: None, get_info=lambda *_: None), train_dataloader=range(3),
        save_checkpoint=lambda folder, name, *args, **kwargs: (tmp_path / name).touch())
    hook = CheckpointHook(**options)
    hook.out_dir, hook.keep_ckpt_ids, hook.file_backend = str(tmp_path), deque(), LocalBackend()
    for runner.epoch in range(10):
        for index in range(3):
            runner.iter = runner.epoch * 3 + index
            hook.after_train_iter(runner, index)
        hook.after_train_epoch(runner)
    assert checkpoints_of(options, 10, 30) == len(list(tmp_path.glob('*.pth')))


def test_the_best_checkpoints():
    assert checkpoints_of(dict(interval=1, max_keep_ckpts=3, save_best='auto'), 10, 30) == 4
    assert checkpoints_of(dict(interval=1, max_keep_ckpts=3, save_best=['a', 'b']), 2, 6) == 4
    assert checkpoints_of(None, 10, 30) == 0
