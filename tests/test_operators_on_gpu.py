"""Every operator of an iteration, forward, backward and twice backward, on a GPU against the CPU's in float64.

PyTorch's operators have had errors of their own on one device: an average pool whose gradient was wrong for one layout.
Tests that compare one program with another on the same GPU don't see them.
"""
from unittest import mock

import pytest
import torch

from helpers.each_operator import EachOperator
from helpers.small_search import CELLS, SPACE, build, iterate, optimisers

GROUP_NORM = dict(type='GN', num_groups=2)
SEARCHES = {  # space, tasks
    'MBConv': (SPACE, ('cls', 'det')),
    'DARTS': (CELLS, ('cell', 'cell2')),
    'DARTS with group norm': (dict(CELLS, norm_cfg=GROUP_NORM), ('cell', 'cell2')),
    'PDARTS': (dict(CELLS, type='PDARTSSupernet'), ('cell', 'cell2')),
    'PCDARTS': (dict(CELLS, type='PCDARTSSupernet', part=2), ('cell', 'cell2')),
    'PRDARTS': (dict(CELLS, type='PRDARTSSupernet'), ('cell', 'cell2')),
    'NASBench201': (dict(type='NASBench201Supernet', channels=16, cells=1), ('cell', 'cell2')),
}


def compared(name, device):
    space, order = SEARCHES[name]
    torch.manual_seed(0)
    model = build(order, space=space, rounds=1).to(device)
    wrapper = optimisers(model)
    torch.manual_seed(1)
    with EachOperator(torch.device(device).type) as mode:
        iterate(model, wrapper)
    return mode


@pytest.mark.parametrize('name', SEARCHES)
def test_operators_of_an_iteration(name, real_gpu):
    mode = compared(name, real_gpu)
    assert mode.compared > 3000 and not mode.left
    # cuDNN samples grids in a precision of its own
    beyond = [line for line in mode.beyond(1e-11) if not line.startswith('aten.grid_sampler')]
    assert not beyond, '\n'.join(beyond[:5])


def test_an_operator_that_differs_is_named():
    """On the CPU against itself, with one operator that is wrong."""
    mode = compared('NASBench201', 'cpu')
    assert mode.compared > 3000 and not mode.beyond(1e-11)
    x = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    with EachOperator('cpu') as mode, mock.patch('helpers.each_operator.error_of', lambda *_: .5):
        torch.relu(x)
    line, = mode.beyond(1e-6)
    assert line.startswith('aten.relu.default: 0.5 [((2, 3, 4, 4), (48, 1, 12, 3)')
    mode = EachOperator('cpu')
    mode.note('an operator', float('nan'), [x])
    mode.note('an operator', 0., [x])
    assert len(mode.beyond(1.)) == 1  # NaN stays
