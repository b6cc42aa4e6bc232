import pytest
import torch
from torch import nn

from imtnas_mm.layers import TwiceDifferentiableConv2d, convolution
from imtnas_mm.layers.convolution import _slow_weight_gradient, make_twice_differentiable

CASES = [
    dict(in_channels=4, out_channels=4, kernel_size=3, padding=1, groups=4),
    dict(in_channels=4, out_channels=4, kernel_size=5, padding=2, stride=2, groups=4),
    dict(in_channels=4, out_channels=6, kernel_size=1),
    dict(in_channels=4, out_channels=4, kernel_size=3, padding=2, dilation=2, groups=2),
]


@pytest.mark.parametrize('bias', [False, True], ids=['', 'bias'])
@pytest.mark.parametrize('options', CASES, ids=str)
@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last], ids=str)
def test_value_and_two_derivatives_are_those_of_conv2d(options, layout, bias, device):
    plain = nn.Conv2d(**options, bias=bias).double().to(device)
    twice = TwiceDifferentiableConv2d(**options, bias=bias).double().to(device)
    twice.load_state_dict(plain.state_dict())
    x = torch.randn(2, 4, 7, 6, dtype=torch.float64).to(device).contiguous(memory_format=layout).requires_grad_()
    actual = []
    for conv in (plain, twice):
        y, inputs = conv(x), [x, *conv.parameters()]
        first = torch.autograd.grad((y**3).sum(), inputs, create_graph=True)
        second = torch.autograd.grad(sum((g**2).sum() for g in first), inputs)
        rows = []
        for alone in conv.parameters():
            part, = torch.autograd.grad((conv(x)**3).sum(), [alone], create_graph=True)
            rows += torch.autograd.grad((part**2).sum(), inputs)
        actual.append([y, *first, *second, *rows])
    for a, b in zip(*actual, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_gradgradcheck(device):
    conv = TwiceDifferentiableConv2d(3, 3, 3, stride=2, padding=1, groups=3, bias=False).double().to(device)
    x = torch.randn(1, 3, 5, 5, dtype=torch.float64).to(device).requires_grad_()
    weight = conv.weight.detach().clone().requires_grad_()

    def function(x, weight):
        return torch.func.functional_call(conv, dict(weight=weight), (x, ))

    # a GPU may add in another order each time
    assert torch.autograd.gradcheck(function, (x, weight), nondet_tol=1e-10)
    assert torch.autograd.gradgradcheck(function, (x, weight), nondet_tol=1e-10)


def test_a_model_is_made_twice_differentiable():
    """Its parameters and results stay; no kernel of the second derivative is as large as the map."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 3, padding='same'),
                          nn.Conv2d(2, 2, 1, padding_mode='circular')).double()
    x = torch.randn(2, 3, 9, 8, dtype=torch.float64)
    names, expected = list(model.state_dict()), model(x)
    make_twice_differentiable(model)
    assert [type(module).__name__ for module in model] == ['TwiceDifferentiableConv2d', 'ReLU'] + [
        'TwiceDifferentiableConv2d'] * 2
    assert list(model.state_dict()) == names and torch.equal(model(x), expected)
    inputs = [x.requires_grad_(), *model[0].parameters()]
    first = torch.autograd.grad((model[0](x)**3).sum(), inputs, create_graph=True)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True) as profile:
        torch.autograd.grad(sum((g**2).sum() for g in first), inputs)
    kernels = [event.input_shapes[1] for event in profile.events() if event.name == 'aten::convolution']
    assert kernels and all(kernel[2:] == [3, 3] for kernel in kernels)


def test_one_convolution_a_term():
    """No loop over groups: the double backward of 32 groups calls as many convolutions as that of 2."""
    calls = []
    for groups in (2, 32):
        conv = TwiceDifferentiableConv2d(groups, groups, 3, padding=1, groups=groups, bias=False)
        x = torch.randn(1, groups, 8, 8, requires_grad=True)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            first = torch.autograd.grad((conv(x)**3).sum(), [x, conv.weight], create_graph=True)
            torch.autograd.grad(sum((g**2).sum() for g in first), [x, conv.weight])
        calls.append(sum(e.count for e in profile.key_averages() if e.key == 'aten::convolution'))
    assert calls[0] == calls[1] == 3


@pytest.mark.parametrize('kernel', [(5, 5), (7, 7), (4, 8)], ids=str)
@pytest.mark.parametrize('stride', [1, 2, 3])
@pytest.mark.parametrize('size', [(7, 6), (3, 2), (12, 9)], ids=str)
def test_weight_gradient_of_wide_depthwise_kernels(kernel, stride, size):
    """In float32 and channels-last, where it is made of narrow kernels' gradients."""
    options = dict(in_channels=8, out_channels=8, kernel_size=kernel, stride=stride, padding=(3, 4), groups=8)
    conv = TwiceDifferentiableConv2d(**options, bias=False)
    x = torch.randn(3, 8, *size)
    y = conv(x)
    grad = torch.randn_like(y)
    exact = conv.double()(x.double())
    expected, = torch.autograd.grad(exact, conv.weight, grad.double())
    conv.float()
    x = x.contiguous(memory_format=torch.channels_last)
    assert _slow_weight_gradient(x, conv.weight, conv.dilation, conv.groups)
    for needs_x in (False, True):
        x.requires_grad_(needs_x)
        inputs = [conv.weight, x][:1 + needs_x]
        actual = torch.autograd.grad(conv(x), inputs, grad)
        torch.testing.assert_close(actual[0], expected.float(), rtol=1e-4, atol=1e-4)
    plain = nn.functional.conv2d(x, conv.weight, None, stride, (3, 4), 1, 8)
    torch.testing.assert_close(actual[1], torch.autograd.grad(plain, x, grad)[0], rtol=1e-4, atol=1e-4)


def test_autocast_still_works(device):
    conv = TwiceDifferentiableConv2d(4, 4, 3, padding=1, groups=4, bias=False).to(device)
    x = torch.randn(1, 4, 6, 6).to(device)
    with torch.autocast(device.type, torch.bfloat16):
        y = conv(x)
        y.float().sum().backward()
    assert y.dtype == torch.bfloat16 and conv.weight.grad.dtype == torch.float32


def test_what_nobody_asks_for_is_not_computed(monkeypatch):
    """A second derivative by a scale alone: no gradient of the weight is made for it."""
    masks, plain = [], convolution._gradients

    def noting(*args):
        masks.append(args[-1])
        return plain(*args)

    monkeypatch.setattr(convolution, '_gradients', noting)
    leaf = torch.randn(2 * 16, dtype=torch.float64, requires_grad=True)
    x, scale = torch.randn(2, 2, 5, 5, dtype=torch.float64), torch.ones((), dtype=torch.float64, requires_grad=True)
    weights = [part.view(4, 2, 2, 1) if i else part.view(2, 2, 2, 2) for i, part in enumerate(leaf.split(16))]
    y = convolution.conv2d(scale * convolution.conv2d(x, weights[0]), weights[1])
    by_leaf, = torch.autograd.grad((y**2).sum(), leaf, create_graph=True)
    first = len(masks)
    found, = torch.autograd.grad(by_leaf.sum(), scale, retain_graph=True)
    assert not any(mask[1] for mask in masks[first:])
    expected, _ = torch.autograd.grad(by_leaf.sum(), [scale, leaf])
    assert any(mask[1] for mask in masks[first:]) and torch.equal(found, expected)
