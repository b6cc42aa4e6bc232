import pytest
import torch
from torch import nn

from imtnas_mm.layers.gated_norm import gated_norm

LAYOUTS = [torch.contiguous_format, torch.channels_last]


def gated_norms(maps, weights, eps=1e-5):
    """``sum_i w_i BN(x_i)``"""
    return sum(gated_norm(x, weight, eps) for x, weight in zip(maps, weights, strict=True))


def plain(maps, weights, eps=1e-5):
    norm = nn.BatchNorm2d(maps[0].shape[1], eps, affine=False, track_running_stats=False)
    return sum(norm(x) * weight[None, :, None, None] for x, weight in zip(maps, weights, strict=True))


def operands(count, shape, layouts=LAYOUTS[:1], dtype=torch.float64, device='cpu'):
    maps = [(torch.randn(shape, dtype=dtype).to(device) * (i + 1) + i).contiguous(
        memory_format=layouts[i % len(layouts)]).requires_grad_() for i in range(count)]
    return maps, [torch.randn(shape[1], dtype=dtype).to(device).requires_grad_() for _ in range(count)]


def derivatives(function, maps, weights):
    """The value, the first derivatives and the second ones of a scalar of it."""
    x = maps[0]
    slope = torch.linspace(.5, 2, x.numel(), dtype=x.dtype, device=x.device).view(x.shape).requires_grad_()
    y = function(maps, weights)
    first = torch.autograd.grad((y**3 * slope).sum(), [*maps, *weights], create_graph=True)
    second = torch.autograd.grad(sum((g**2).sum() for g in first), [*maps, *weights, slope])
    return [y, *first, *second]


@pytest.mark.parametrize('layouts', [LAYOUTS[:1], LAYOUTS[1:], LAYOUTS, LAYOUTS[::-1]],
                         ids=['contiguous', 'channels_last', 'mixed', 'mixed2'])
@pytest.mark.parametrize('count, shape', [(1, (3, 4, 5, 6)), (3, (2, 3, 4, 4)), (4, (1, 2, 3, 3)), (2, (4, 5, 1, 1))],
                         ids=str)
def test_value_and_two_derivatives_are_those_of_batch_norm(count, shape, layouts, device):
    maps, weights = operands(count, shape, layouts, device=device)
    for actual, expected in zip(
            derivatives(gated_norms, maps, weights), derivatives(plain, maps, weights), strict=True):
        # a channel of few equal values has a huge second derivative
        torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9 * max(expected.abs().max().item(), 1))


@pytest.mark.parametrize('layout', LAYOUTS, ids=str)
def test_gradcheck_and_gradgradcheck(layout, device):
    maps, weights = operands(2, (3, 2, 2, 3), [layout], device=device)

    def function(*values):
        return gated_norms(values[:2], values[2:], eps=.1)

    # a GPU may add in another order each time
    assert torch.autograd.gradcheck(function, (*maps, *weights), nondet_tol=1e-10)
    assert torch.autograd.gradgradcheck(function, (*maps, *weights), nondet_tol=1e-10)


@pytest.mark.parametrize('wanted', ['maps', 'weights'])
def test_where_one_kind_alone_takes_gradients(wanted, device):
    actual = []
    for function in (gated_norms, plain):
        torch.manual_seed(0)
        maps, weights = operands(2, (2, 3, 4, 4), device=device)
        targets = maps if wanted == 'maps' else weights
        for value in (weights if wanted == 'maps' else maps):
            value.requires_grad_(False)
        first = torch.autograd.grad((function(maps, weights)**3).sum(), targets, create_graph=True)
        actual.append([*first, *torch.autograd.grad(sum((g**2).sum() for g in first), targets)])
    for a, b in zip(*actual, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-8)


def test_second_derivatives_through_one_kind_of_gradient(device):
    """The adjoint of the other is absent, not zeros that were given."""
    for pick in (slice(0, 2), slice(2, 4)):
        maps, weights = operands(2, (2, 3, 4, 4), device=device)
        actual = []
        for function in (gated_norms, plain):
            first = torch.autograd.grad((function(maps, weights)**3).sum(), [*maps, *weights][pick], create_graph=True)
            actual.append(torch.autograd.grad(sum((g**2).sum() for g in first), [*maps, *weights]))
        for a, b in zip(*actual, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-8)


@pytest.mark.parametrize('eps', [1e-5, .5])
def test_eps(eps):
    maps, weights = operands(2, (2, 3, 4, 4))
    torch.testing.assert_close(gated_norms(maps, weights, eps), plain(maps, weights, eps), rtol=1e-12, atol=1e-12)


def test_third_derivative_raises(device):
    maps, weights = operands(2, (2, 2, 3, 3), device=device)
    first = torch.autograd.grad((gated_norms(maps, weights)**3).sum(), [*maps, *weights], create_graph=True)
    second = torch.autograd.grad(sum((g**3).sum() for g in first), [*maps, *weights], create_graph=True)
    with pytest.raises(RuntimeError, match='once_differentiable'):
        sum(g.square().sum() for g in second).backward()


def test_it_keeps_its_operands_alone(device):
    """Not the normalised maps: what is saved are the maps, the weights, and vectors."""
    maps, weights = operands(3, (2, 3, 4, 4), device=device)
    results = [gated_norm(x, weight) for x, weight in zip(maps, weights, strict=True)]
    saved = [t for result in results for t in result.grad_fn.saved_tensors]
    assert len(saved) >= 4 * len(maps)
    held = {t.data_ptr() for t in (*maps, *weights)}
    assert all(t.data_ptr() in held or t.shape == (3, ) for t in saved)
    for x, before in zip(maps, [x.detach().clone() for x in maps], strict=True):
        assert torch.equal(x, before)


def test_half_precision_and_one_value_a_channel_are_batch_norms(device):
    maps, weights = operands(2, (2, 3, 4, 4), dtype=torch.bfloat16, device=device)
    assert torch.equal(gated_norms(maps, weights), plain(maps, weights))
    with pytest.raises(ValueError, match='more than 1 value per channel'):
        gated_norms(*operands(2, (1, 3, 1, 1), device=device))
    maps, weights = operands(2, (2, 3, 4, 4), dtype=torch.float32, device=device)
    with torch.autocast(device.type, torch.bfloat16):
        torch.testing.assert_close(gated_norms(maps, weights), plain(maps, weights))
