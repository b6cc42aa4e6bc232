import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from imtnas_mm.architecture import Architecture, flat_importance, mean_entropy
from imtnas_mm.registry import MODELS


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


groups = st.dictionaries(
    st.text('abcdef_0123', min_size=1, max_size=6).map('g{}'.format),
    st.lists(st.integers(1, 5), max_size=2).flatmap(lambda rows: st.integers(2, 9).map(lambda last: (*rows, last))),
    min_size=1, max_size=5)


@given(shapes=groups, seed=st.integers(0, 2**31), std=st.sampled_from([0., 1e-3, 1., 40.]))
def test_importance_and_entropy_of_any_groups(shapes, seed, std):
    """Every row is a distribution; its entropy lies between 0 and the log of its candidates, reached where A is 0."""
    architecture = Architecture(shapes, std, seed)
    alphas = architecture.named_alphas()
    assert {name: tuple(alpha.shape) for name, alpha in alphas.items()} == shapes and list(alphas) == sorted(shapes)
    importance = {name: alpha.softmax(-1) for name, alpha in alphas.items()}
    for weights in importance.values():
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    flat = flat_importance(importance)
    assert flat.shape == (sum(math.prod(shape) for shape in shapes.values()), ) and 0 <= flat.min() <= flat.max() <= 1
    rows = sum(math.prod(shape[:-1]) for shape in shapes.values())
    most = sum(math.prod(shape[:-1]) * math.log(shape[-1]) for shape in shapes.values()) / rows
    entropy = mean_entropy(importance)
    assert -1e-6 <= entropy.item() <= most + 1e-5
    if std <= 1e-3:
        assert entropy.item() == pytest.approx(most, abs=1e-4)


SPACES = [dict(type='MBConvSupernet', layout='fairnas19', width_mult=.1),
          dict(type='MBConvSupernet', layout='proxyless21', width_mult=.1),
          *(dict(type=f'{name}Supernet', channels=8, layers=3) for name in ('DARTS', 'PDARTS', 'PCDARTS', 'PRDARTS'))]


@pytest.mark.parametrize('space', SPACES, ids=lambda space: space.get('layout', space['type']))
def test_importance_and_entropy_of_every_space(space):
    supernet = MODELS.build(dict(space, type=f'imtnas_mm.{space["type"]}'))
    shapes = supernet.alpha_shapes()

    @given(seed=st.integers(0, 2**31), std=st.sampled_from([1e-3, 1., 40.]))
    @settings(max_examples=10)
    def check(seed, std):
        alphas = Architecture(shapes, std, seed).named_alphas()
        importance = supernet.importance(alphas)
        assert {name: tuple(weights.shape) for name, weights in importance.items()} == shapes
        flat = flat_importance(importance)
        assert 0 <= flat.min() and flat.max() <= 1
        if space['type'] == 'PRDARTSSupernet':  # each gate is on or off by itself
            most = math.log(2)
        else:
            rows = [row for weights in importance.values() for row in weights.reshape(-1, weights.shape[-1])]
            torch.testing.assert_close(torch.stack([row.sum() for row in rows]), torch.ones(len(rows)))
            most = max(math.log(shape[-1]) for shape in shapes.values())
        assert -1e-6 <= supernet.entropy(alphas).item() <= most + 1e-5

    check()
