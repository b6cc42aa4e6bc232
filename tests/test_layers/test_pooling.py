"""The pools against PyTorch's, of maps whose means are computed by sums and of others."""
import pytest
import torch
import torch.nn.functional as F

from imtnas_mm.layers.pooling import avg_pool, half_size, pools


def plain_pools(x, stride):
    return torch.cat([F.max_pool2d(x, 3, stride, 1), F.avg_pool2d(x, 3, stride, 1, count_include_pad=False)], 1)


@pytest.mark.parametrize('size', [(9, 8), (4, 3), (1, 1), (70, 1)], ids=str)
@pytest.mark.parametrize('layout', [torch.channels_last, torch.contiguous_format], ids=str)
@pytest.mark.parametrize('own, plain', [
    (lambda x: avg_pool(x, 1), lambda x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)),
    (lambda x: avg_pool(x, 2), lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)),
    (half_size, lambda x: F.avg_pool2d(x, 2, 2, ceil_mode=True)),
    (lambda x: pools(x, 1), lambda x: plain_pools(x, 1)),
    (lambda x: pools(x, 2), lambda x: plain_pools(x, 2)),
], ids=['3x3', '3x3 stride 2', '2x2', 'both', 'both stride 2'])
def test_value_and_two_derivatives(size, layout, own, plain, device):
    """Against a CPU's: PyTorch's own gradient on GPUs is wrong in one layout."""
    images, found = torch.randn(2, 3, *size, dtype=torch.float64), []
    for pool, x in ((own, images.to(device).contiguous(memory_format=layout)), (plain, images)):
        x = x.detach().requires_grad_()
        y = pool(x)
        first, = torch.autograd.grad((y**3).sum(), x, create_graph=True)
        found.append([y, first, *torch.autograd.grad((first**2).sum(), x)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one.cpu(), other, rtol=1e-12, atol=1e-12)
