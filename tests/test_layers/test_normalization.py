import pytest
import torch
from mmcv.cnn import build_norm_layer
from torch import nn

from imtnas_mm.chain import SecondDerivativeError, check_twice_differentiable
from imtnas_mm.layers import TwiceDifferentiableBatchNorm2d
from imtnas_mm.layers.normalization import twice_differentiable_norm_cfg
from imtnas_mm.spaces import MBConvSupernet

ALONE = dict(affine=False, track_running_stats=False)


def twice(channels, **options):
    return TwiceDifferentiableBatchNorm2d(channels, **dict(ALONE, **options))


def pair(channels, **options):
    return nn.BatchNorm2d(channels, **dict(ALONE, **options)), twice(channels, **options)


def derivatives(norm, x, scale=1.):
    """The value, the first and both second derivatives of a scalar of it."""
    weight = torch.linspace(.5, 2, x.numel(), dtype=x.dtype, device=x.device).view(x.shape).requires_grad_()
    y = norm(x)
    first, = torch.autograd.grad((y**3 * weight).sum() * scale, x, create_graph=True)
    return [y, first, *torch.autograd.grad((first**2 * weight).sum(), [x, weight])]


def images(*shape, dtype=torch.float64, layout=torch.contiguous_format, device='cpu'):
    x = torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(0)) * 2 + 1
    return x.to(device).contiguous(memory_format=layout).requires_grad_()


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize('shape', [(4, 3, 5, 6), (1, 2, 3, 3), (5, 4, 1, 1), (2, 1, 4, 4), (1, 3, 1, 2)], ids=str)
@pytest.mark.parametrize('eps', [1e-5, .5])
def test_value_and_two_derivatives_are_those_of_batch_norm(layout, shape, eps, device):
    plain, fast = pair(shape[1], eps=eps)
    x = images(*shape, layout=layout, device=device)
    for a, b in zip(derivatives(plain, x), derivatives(fast, x), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_gradgradcheck(device):
    x, fast = images(3, 2, 2, 3, device=device), twice(2, eps=.1)
    # a GPU may add in another order each time
    assert torch.autograd.gradcheck(fast, x, nondet_tol=1e-10)
    assert torch.autograd.gradgradcheck(fast, x, nondet_tol=1e-10)


def test_it_is_its_own_backward():
    names = {type(twice(2)(images(2, 2, 3, 3))).__name__, type(twice(2)(images(2, 2, 3, 3)).grad_fn).__name__}
    assert names == {'Tensor', '_BatchNormBackward'}


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize('loss', [
    lambda y: y.mean((2, 3)).pow(3).sum(),
    lambda y: (y.contiguous()**3).sum(),
    lambda y: (y.contiguous(memory_format=torch.channels_last)**3).sum(),
], ids=['expanded', 'NCHW', 'NHWC'])
def test_layout_is_kept_whatever_a_gradients_is(layout, loss, device):
    x = images(3, 4, 5, 6, layout=layout, device=device)
    actual = []
    for norm in pair(4):
        y = norm(x)
        first, = torch.autograd.grad(loss(y), x, create_graph=True)
        second, = torch.autograd.grad(first.sum((2, 3)).pow(2).sum() + (first * x.detach()).sum(), x)
        actual.append([y, first, second])
    for a, b in zip(*actual, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
        assert b.is_contiguous(memory_format=layout)


def test_views_that_are_stored_in_no_layout(device):
    plain, fast = pair(4)
    whole = images(3, 4, 5, 6, device=device)
    for a, b in zip(derivatives(plain, whole[..., 1:4]), derivatives(fast, whole[..., 1:4]), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_channels_without_variance(device):
    plain, fast = pair(3)
    x = images(2, 3, 4, 4, device=device).detach()
    x[:, 1] = .75
    x.requires_grad_()
    for a, b in zip(derivatives(plain, x, 1e-2), derivatives(fast, x, 1e-2), strict=True):
        assert torch.isfinite(b).all()
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('shape', [(1, 3, 1, 1), (2, 3, 4)], ids=str)
def test_what_batch_norm_refuses(shape):
    plain, fast = pair(3)
    with pytest.raises(ValueError) as expected:
        plain(torch.rand(shape))
    with pytest.raises(ValueError) as actual:
        fast(torch.rand(shape))
    assert str(actual.value) == str(expected.value)


def test_third_derivative_raises(device):
    x = images(2, 2, 3, 3, device=device)
    first, = torch.autograd.grad((twice(2)(x)**3).sum(), x, create_graph=True)
    second, = torch.autograd.grad((first**3).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match='once_differentiable'):
        second.square().sum().backward()


def test_once_differentiable_in_its_second_pass_is_no_obstacle():
    fast, x = nn.Sequential(twice(2)), images(2, 2, 3, 3)
    check_twice_differentiable(lambda: (fast(x)**2).sum(), fast)

    def through_the_first_derivative():
        return torch.autograd.grad((fast(x)**3).sum(), x, create_graph=True)[0].sum()

    with pytest.raises(SecondDerivativeError, match='_BatchNormGradient'):
        check_twice_differentiable(through_the_first_derivative, fast)


@pytest.mark.parametrize('options', [
    dict(affine=True),
    dict(track_running_stats=True),
    dict(affine=True, track_running_stats=True),
], ids=str)
@pytest.mark.parametrize('training', [True, False])
def test_with_weights_or_running_statistics_it_is_batch_norm(options, training):
    actual = []
    for norm in pair(3, **options):
        norm = norm.double()
        for value, tensor in enumerate(norm.state_dict().values(), 1):
            if tensor.is_floating_point():
                tensor.fill_(value)
        norm.train(training)
        actual.append([*derivatives(norm, images(2, 3, 4, 4)), *norm.state_dict().values()])
    for a, b in zip(*actual, strict=True):
        assert torch.equal(a, b)


def test_functional_call_with_other_weights():
    norm = twice(3, affine=True)
    x, weight = images(2, 3, 4, 4, dtype=torch.float32), torch.full((3, ), 2.)
    y = torch.func.functional_call(norm, dict(weight=weight), (x, ))
    torch.testing.assert_close(y, 2 * norm(x))


@pytest.mark.parametrize('training', [True, False])
def test_without_gradients(training, device):
    plain, fast = pair(3)
    x = images(2, 3, 4, 4, device=device)
    with torch.no_grad():
        y = fast.train(training)(x)
        torch.testing.assert_close(y, plain.train(training)(x))
    assert not y.requires_grad and not fast(x.detach()).requires_grad


def test_autocast_and_half_precision(device):
    plain, fast = pair(3)
    x = images(2, 3, 4, 4, dtype=torch.float32, device=device)
    with torch.autocast(device.type, torch.bfloat16):
        y = fast(x)
        y.float().square().sum().backward()
        assert y.dtype == plain(x).dtype
    half = x.detach().bfloat16()
    assert torch.equal(fast(half), plain(half))


def test_no_composite_double_backward():
    counts = []
    for norm in pair(3):
        x = images(2, 3, 4, 4)
        first, = torch.autograd.grad((norm(x)**3).sum(), x, create_graph=True)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            torch.autograd.grad(first.square().sum(), x)
        counts.append(sum(e.count for e in profile.key_averages() if e.key == 'aten::sum'))
    assert counts[1] <= 4 < counts[0]


@pytest.mark.parametrize('config, fast', [
    (dict(type='BN', **ALONE), True),
    (dict(type='BN2d', eps=1e-3, **ALONE), True),
    (dict(type='BN'), False),
    (dict(type='BN', affine=False), False),
    (dict(type='BN', track_running_stats=False), False),
    (dict(type='SyncBN', **ALONE), False),
    (dict(type='GN', num_groups=4), False),
    (None, False),
], ids=str)
def test_which_configs_take_it(config, fast):
    actual = twice_differentiable_norm_cfg(config)
    if not fast:
        assert actual is config
        return
    name, layer = build_norm_layer(actual, 8)
    plain_name, plain = build_norm_layer(config, 8)
    assert (name, type(layer), layer.eps) == (plain_name, TwiceDifferentiableBatchNorm2d, plain.eps)
    assert config['type'] != actual['type']  # a copy


def test_supernet_takes_it():
    small = dict(width_mult=.25, stem_stride=1, strides=(1, 2, 1, 1, 2, 1))
    norms = [m for m in MBConvSupernet(**small).modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms and {type(m) for m in norms} == {TwiceDifferentiableBatchNorm2d}
    affine = MBConvSupernet(norm_cfg=dict(type='BN'), **small)
    assert {type(m) for m in affine.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)} == {nn.BatchNorm2d}
