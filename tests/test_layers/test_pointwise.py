import pytest
import torch
import torch.nn.functional as F

from imtnas_mm.layers import pointwise
from imtnas_mm.layers.convolution import conv2d

OPTIONS = (1, 1), (0, 0), (1, 1), 1


def maps(*shape, layout=torch.channels_last, dtype=torch.float64, device='cpu'):
    return torch.randn(*shape, dtype=dtype).to(device).contiguous(memory_format=layout).requires_grad_()


CASES = [  # groups, channels in and out of each, image
    (1, 6, 4, (5, 7)),
    (3, 4, 4, (6, 6)),
    (14, 2, 3, (3, 2)),
    (4, 1, 2, (4, 4)),
    (2, 5, 1, (1, 1)),
    (1, 1, 1, (3, 3)),
    (1, 8, 24, (4, 4)),  # two pixels together
    (1, 20, 3, (2, 6)),  # four
]


@pytest.mark.parametrize('layout', [torch.channels_last, torch.contiguous_format], ids=str)
@pytest.mark.parametrize('groups, channels, out, size', CASES)
def test_value_and_two_derivatives_are_those_of_conv2d(groups, channels, out, size, layout, device):
    x = maps(3, groups * channels, *size, layout=layout, device=device)
    weight = torch.randn(groups * out, channels, 1, 1, dtype=torch.float64).to(device).requires_grad_()
    actual = []
    for function in (lambda: conv2d(x, weight, groups=groups), lambda: F.conv2d(x, weight, groups=groups)):
        y = function()
        first = torch.autograd.grad((y**3).sum(), [x, weight], create_graph=True)
        second = torch.autograd.grad(sum((g**2).sum() for g in first), [x, weight])
        actual.append([y, *first, *second])
    for a, b in zip(*actual, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('groups, channels, out, size', CASES)
def test_each_product(groups, channels, out, size, device):
    x = maps(3, groups * channels, *size, device=device)
    weight = torch.randn(groups * out, channels, 1, 1, dtype=torch.float64).to(device).requires_grad_()
    expected = F.conv2d(x, weight, groups=groups)
    y = pointwise.convolve(x.detach(), weight.detach(), groups)
    torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)
    assert y.is_contiguous(memory_format=torch.channels_last)
    for layout in (torch.channels_last, torch.contiguous_format):  # a gradient may come in any
        grad = torch.randn_like(y).contiguous(memory_format=layout)
        for_x, for_weight = torch.autograd.grad(expected, [x, weight], grad, retain_graph=True)
        actual = pointwise.input_gradient(grad, weight.detach(), groups)
        torch.testing.assert_close(actual, for_x, rtol=1e-12, atol=1e-12)
        actual = pointwise.weight_gradient(grad, x.detach(), groups)
        torch.testing.assert_close(actual, for_weight, rtol=1e-12, atol=1e-12)


def test_a_gradient_that_is_expanded(device):
    x = maps(2, 4, 3, 5, device=device)
    weight = torch.randn(6, 2, 1, 1, dtype=torch.float64).to(device).requires_grad_()
    actual = torch.autograd.grad(conv2d(x, weight, groups=2).sum(), [x, weight])
    expected = torch.autograd.grad(F.conv2d(x, weight, groups=2).sum(), [x, weight])
    for a, b in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_single_precision(device):
    x = maps(4, 12, 9, 9, dtype=torch.float32, device=device)
    weight = torch.randn(12, 4, 1, 1).to(device).requires_grad_()
    y = conv2d(x, weight, groups=3)
    torch.testing.assert_close(y, F.conv2d(x, weight, groups=3), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('x, weight, options, taken', [
    (maps(2, 4, 3, 3), torch.ones(4, 4, 1, 1), OPTIONS, True),
    (maps(2, 4, 3, 3, layout=torch.contiguous_format), torch.ones(4, 4, 1, 1), OPTIONS, False),
    (maps(2, 4, 3, 3), torch.ones(4, 4, 3, 3), OPTIONS, False),
    (maps(2, 4, 3, 3), torch.ones(4, 4, 1, 1), ((2, 2), *OPTIONS[1:]), False),
    (maps(2, 4, 3, 3), torch.ones(4, 4, 1, 1), (OPTIONS[0], (1, 1), *OPTIONS[2:]), False),
    (torch.ones(2, 4, 3, 3, device='meta').contiguous(memory_format=torch.channels_last), torch.ones(4, 4, 1, 1),
     OPTIONS, False),
], ids=['taken', 'contiguous', '3x3', 'strided', 'padded', 'not on a CPU'])
def test_what_it_takes(x, weight, options, taken):
    assert pointwise.is_pointwise(x, weight, options) is taken
