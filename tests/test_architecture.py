import math

import pytest
import torch

from imtnas_mm.architecture import Architecture, flat_importance, mean_entropy


def test_start_is_small_noise_from_its_own_seed():
    torch.manual_seed(1)
    a = Architecture({'a': (400, 7)}, init_std=1e-3, seed=3)
    torch.manual_seed(2)
    b = Architecture({'a': (400, 7)}, init_std=1e-3, seed=3)
    assert torch.equal(a.alphas['a'], b.alphas['a'])
    assert a.alphas['a'].std().item() == pytest.approx(1e-3, rel=.05)
    assert not torch.equal(a.alphas['a'], Architecture({'a': (400, 7)}, seed=4).alphas['a'])


def test_zero_start():
    assert not Architecture({'a': (3, 7)}, init_std=0).alphas['a'].any()


def test_state_dict_holds_every_group():
    architecture = Architecture({'layer01': (6, ), 'layer02': (7, )})
    assert list(architecture.state_dict()) == ['alphas.layer01', 'alphas.layer02']


def test_no_groups():
    with pytest.raises(ValueError, match='at least one group'):
        Architecture({})


def test_entropy_by_hand():
    importance = {'a': torch.tensor([[.5, .5, 0.], [1., 0., 0.]]), 'b': torch.tensor([.25, .25, .25, .25])}
    assert mean_entropy(importance).item() == pytest.approx((math.log(2) + 0 + math.log(4)) / 3)
    assert flat_importance(importance).tolist() == [.5, .5, 0, 1, 0, 0, .25, .25, .25, .25]
