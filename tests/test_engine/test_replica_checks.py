"""Ranks that have come apart are noticed, and no checkpoint is made of them."""
import re

import pytest
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from helpers import ranks
from helpers import tiny_run as tiny
from helpers.search_state import state
from imtnas_mm.engine.replica_checks import fingerprint
from imtnas_mm.registry import HOOKS


@HOOKS.register_module(force=True)
class MoveOnRankOne(Hook):
    """Adds 1e-6 to the last number of an entry of the model on rank 1, once an iteration (from 0) is over."""
    priority = 'VERY_HIGH'

    def __init__(self, entry, iteration):
        self.entry, self.iteration = entry, iteration

    def after_train_iter(self, runner, **kwargs):
        if runner.iter == self.iteration and get_rank() == 1:
            runner.model.state_dict()[self.entry].view(-1)[-1] += 1e-6


def test_fingerprint():
    tensor = torch.tensor([[1., float('nan')], [0., 3.]])
    assert fingerprint(tensor) == fingerprint(tensor.clone()) == fingerprint(tensor.T.contiguous().T)
    for place in range(4):
        other = tensor.clone()
        other.view(-1)[place] = -0. if place == 2 else 7.
        assert fingerprint(other) != fingerprint(tensor)
    assert fingerprint(torch.tensor(True)) != fingerprint(torch.tensor(False))
    assert isinstance(fingerprint(torch.empty(0)), int)


@pytest.mark.slow
@pytest.mark.parametrize('entry, kind, more', [
    ('architecture.alphas.layer07', 'HyperNetwork', r' \(and \d+ more entries differ\)'),  # V has followed A
    ('heads.det.0.bbox_head.retina_reg.bias', 'StoredWeights', ''),
])
def test_ranks_that_differ_stop_before_the_checkpoint(data, tmp_path, entry, kind, more):
    fields = tiny.search_fields(data, rounds=1, max_epochs=1, epoch_length=4, val_begin=99)
    fields['default_hooks']['checkpoint'] = dict(by_epoch=False, interval=2)
    fields['model']['encoder_weights'] = tiny.replaced(type=kind)
    config = tiny.write_config(tmp_path / 'tiny.py', 'imtnas_demo.py', **fields,
                               custom_hooks=[dict(type='MoveOnRankOne', entry=entry, iteration=2)])
    processes = ranks.start(2, tmp_path, tiny.run, 'train', config, '--work-dir', tmp_path / 'work',
                            '--launcher', 'pytorch')
    assert ranks.join(processes) == [1, 1]
    for rank in range(2):
        assert re.search(f'ReplicaError: after iteration 4, {entry} of rank 1 differs from that of rank 0{more}: '
                         '.* No checkpoint is written', ranks.output(tmp_path, rank))
    assert sorted(path.name for path in (tmp_path / 'work').glob('*.pth*')) == ['iter_2.pth']
    assert (tmp_path / 'work' / 'last_checkpoint').read_text() == str(tmp_path / 'work' / 'iter_2.pth')
    assert state(tmp_path / 'work' / 'iter_2.pth')['position'] == (0, 2)
