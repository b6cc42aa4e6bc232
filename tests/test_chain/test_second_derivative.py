"""Operators that a chain would lose a term by are named."""
import pytest
import torch
from torch import nn

from helpers.differentiable_once import Once, OnceModule
from imtnas_mm.chain import SecondDerivativeError, check_twice_differentiable


def test_autograd_itself_drops_the_term():
    """What the check is for: no error, and a gradient that doesn't depend on x."""
    x = torch.tensor(3., requires_grad=True)
    first, = torch.autograd.grad(Once.apply(x), x, create_graph=True)
    assert first == 6 and not first.requires_grad


def test_missing_second_derivative_names_the_module():
    net = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), OnceModule()), nn.Linear(2, 1))
    x = torch.rand(1, 2, requires_grad=True)
    with pytest.raises(SecondDerivativeError, match=r'tasks.det.1.1: Once has no second derivative.*exact_pullback.*'
                       'difference_pullback'):
        check_twice_differentiable(lambda: net(x).sum(), net, 'tasks.det.')
    check_twice_differentiable(lambda: net[0](x).sum(), net)
