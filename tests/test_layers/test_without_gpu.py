"""The modules with derivatives of their own take the ways that they take on CUDA, without one."""
import pytest
import torch
from torch.nn import functional as F

from helpers.pretend_cuda import on_cuda, pretended_cuda
from imtnas_mm.layers import TwiceDifferentiableReLU6
from imtnas_mm.layers.convolution import conv2d
from imtnas_mm.layers.gated_norm import gated_norm
from imtnas_mm.layers.normalization import batch_norm

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason='a GPU is there, and the tests with a device use it')


def plain_norm(x):
    return F.batch_norm(x, None, None, training=True)


def plain_gated_norms(x, y, *weights):
    return sum(plain_norm(x) * weight[None, :, None, None] for x, weight in zip((x, y), weights, strict=True))


MODULES = {  # ours, PyTorch's, the shapes of what they take
    'batch_norm': (batch_norm, plain_norm, [(3, 4, 5, 6)]),
    'gated_norms': (lambda x, y, v, w: gated_norm(x, v) + gated_norm(y, w), plain_gated_norms,
                    [(3, 4, 5, 6)] * 2 + [(4, )] * 2),
    'depthwise': (lambda x, w: conv2d(x, w, 2, 1, 1, 4), lambda x, w: F.conv2d(x, w, None, 2, 1, 1, 4),
                  [(3, 4, 5, 6), (4, 1, 3, 3)]),
    'pointwise': (lambda x, w: conv2d(x, w, groups=2), lambda x, w: F.conv2d(x, w, groups=2),
                  [(3, 4, 5, 6), (6, 2, 1, 1)]),
    'relu6': (TwiceDifferentiableReLU6(), F.relu6, [(3, 4, 5, 6)]),
}


def derivatives(function, operands):
    y = function(*operands)
    first = torch.autograd.grad((y**3).sum(), operands, create_graph=True)
    return [y, *first, *torch.autograd.grad(sum((g**2).sum() for g in first), operands)]


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize('name', MODULES)
def test_value_and_two_derivatives(name, layout):
    own, plain, shapes = MODULES[name]
    operands = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
    operands = [x.contiguous(memory_format=layout) if x.dim() == 4 else x for x in operands]
    expected = derivatives(plain, [x.clone().requires_grad_() for x in operands])
    with pretended_cuda() as cuda:
        actual = derivatives(own, [x.to('cuda').requires_grad_() for x in operands])
        assert all(map(on_cuda, actual)) and not cuda.reads
        assert cuda.uploads.total() == len(operands)
    for a, b in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9 * max(b.abs().max().item(), 1))
