"""The average pools against PyTorch's, of maps whose pools are computed by sums and of others."""
import pytest
import torch
import torch.nn.functional as F

from imtnas_mm.layers.pooling import avg_pool, half_size


@pytest.mark.parametrize('size', [(9, 8), (4, 3), (1, 1), (70, 1)], ids=str)
@pytest.mark.parametrize('layout', [torch.channels_last, torch.contiguous_format], ids=str)
@pytest.mark.parametrize('own, plain', [
    (lambda x: avg_pool(x, 1), lambda x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)),
    (lambda x: avg_pool(x, 2), lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)),
    (half_size, lambda x: F.avg_pool2d(x, 2, 2, ceil_mode=True)),
], ids=['3x3', '3x3 stride 2', '2x2'])
def test_value_and_two_derivatives(size, layout, own, plain, device):
    x = torch.randn(2, 3, *size, dtype=torch.float64).to(device).contiguous(memory_format=layout).requires_grad_()
    found = []
    for pool in (own, plain):
        y = pool(x)
        first, = torch.autograd.grad((y**3).sum(), x, create_graph=True)
        found.append([y, first, *torch.autograd.grad((first**2).sum(), x)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
