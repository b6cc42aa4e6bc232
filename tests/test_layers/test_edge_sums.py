"""Sums of maps by node, against one sum over both dimensions."""
import pytest
import torch

from imtnas_mm.layers.edge_sums import edge_sums


@pytest.mark.parametrize('operations, nodes, states', [(1, 1, 1), (1, 3, 1), (2, 3, 1), (1, 3, 2), (4, 2, 3)])
def test_values_and_both_derivatives(operations, nodes, states, device):
    torch.manual_seed(0)
    channels = 5
    y = torch.randn(2, 3, 4, operations * nodes * states * channels, dtype=torch.float64, device=device)
    weights = torch.randn_like(y)
    y.requires_grad_()
    ways = []
    for sums in (y.view(2, 3, 4, operations, nodes, states, channels).sum((3, 5)),
                 edge_sums(y, operations, states, channels)):
        first, = torch.autograd.grad((sums**3).sum(), y, create_graph=True)
        second, = torch.autograd.grad((first * weights).sum(), y)
        ways.append((sums.detach(), first.detach(), second))
    for expected, actual in zip(*ways, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def test_the_gradient_is_copied_once(device):
    y = torch.randn(2, 3, 4, 12, device=device, requires_grad=True)
    sums = edge_sums(y, 2, 3, 2)
    gradient, = torch.autograd.grad(sums, y, torch.randn_like(sums))
    assert gradient.is_contiguous() and gradient.shape == y.shape
