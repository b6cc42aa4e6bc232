"""Maps by the parity of their pixels, against slices."""
import pytest
import torch
import torch.nn.functional as F

from imtnas_mm.layers.parities import joined_parities, parities


def by_slices(x):
    x = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
    return torch.cat([x[:, :, ::2, ::2], x[:, :, 1::2, 1::2]], 1)


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('size', [(4, 6), (5, 3), (1, 1)])
def test_values_and_both_derivatives(size, layout, device):
    torch.manual_seed(0)
    x, weights = (torch.randn(2, 3, *size, dtype=torch.float64, device=device).contiguous(memory_format=layout)
                  for _ in range(2))
    x.requires_grad_()
    ways = []
    for function in (by_slices, joined_parities):
        y = function(x)
        first, = torch.autograd.grad((y**3).sum(), x, create_graph=True)
        second, = torch.autograd.grad((first * weights).sum(), x)
        ways.append((y.detach(), first.detach(), second))
    for expected, actual in zip(*ways, strict=True):
        assert torch.equal(expected, actual)
    assert torch.equal(torch.cat(parities(x), 1), ways[0][0])


def test_the_derivatives_keep_the_layout_and_take_few_operations(device):
    x = torch.randn(2, 3, 4, 4, device=device).contiguous(memory_format=torch.channels_last).requires_grad_()
    y = joined_parities(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    gradient, = torch.autograd.grad(y, x, torch.ones_like(y))
    assert gradient.is_contiguous(memory_format=torch.channels_last)
    assert type(y.grad_fn).__name__ == '_JoinedParitiesBackward'
