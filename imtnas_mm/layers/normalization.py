"""A batch normalisation whose second derivative costs about as much as its first.

PyTorch's double backward takes dozens of passes over the maps. Per channel, with
``r = (var x + eps)^-1/2``, ``y = (x - mean x) r`` and

    gx = dL/dx = P(g) = r (g - mean g - y mean(g y)),

P is linear and symmetric. With ``u`` the adjoint of gx, ``a = mean(g y)``,
``b = mean(u y)`` and ``s = mean(u g) - mean u mean g - a b``, the derivative of
``sum(u gx) = n r s`` by g is P(u). x enters through y, ``v = d/dy = -r (b g + a u)``,
and through r, ``dr/dx = -r^2 y / n``:

    adjoint of g = P(u)
    adjoint of x = P(v) - r^2 s y = -r (b P(g) + a P(u) + r s y)
                 = r^2 (b (mean g - g) + a (mean u - u) + (2 a b - s) y)
"""
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .. import compat
from ..registry import MODELS

OWN_DTYPES = (torch.float32, torch.float64)
CACHED = 4096  # constants; batches of detectors have many sizes
_constants: dict[tuple, Tensor] = {}


def memory_format_of(x: Tensor) -> torch.memory_format:
    """The memory format that x is stored in."""
    channels_last = x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if channels_last else torch.contiguous_format


def by_channel(values: Tensor) -> Tensor:
    """[C] -> [1, C, 1, 1]"""
    return values.view(1, -1, 1, 1)


def has_own(x: Tensor) -> bool:
    """Whether this module normalises x. PyTorch takes half precision, and refuses one value per channel."""
    return x.dtype in OWN_DTYPES and x.numel() > x.shape[1] and not torch.is_autocast_enabled(x.device.type)


def constant(value: float, number: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A constant vector [number], cached, so that it costs no operation per call.

    The first ``CACHED`` ones are kept for good, since a CUDA graph may hold them.
    """
    key = value, number, dtype, device
    if key in _constants:
        return _constants[key]
    vector = torch.full((number, ), value, dtype=dtype, device=device)
    if len(_constants) < CACHED:
        _constants[key] = vector
    return vector


def _like(value, mean):
    return constant(value, len(mean), mean.dtype, mean.device)


def normalized(x: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """y, and mean x and r per channel."""
    return compat.native_batch_norm(x, None, None, None, None, True, 0., eps)


def norm_gradient(grad: Tensor, x: Tensor, mean: Tensor, invstd: Tensor,
                  weight: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """``weight P(grad)``, and sum(grad y) and sum(grad) per channel; weight [C], 1 by default."""
    # invstd includes eps
    options = None, None, mean, invstd, True, 0., [True] * 3
    if x.device.type == 'cpu':
        # with a weight, gradients in channels-last layout came out NaN on some CPUs
        gradient, dot, total = compat.native_batch_norm_backward(grad, x, None, *options)
        return gradient if weight is None else gradient.mul_(by_channel(weight)), dot, total
    # without a weight, CUDA gives neither of the sums
    return compat.native_batch_norm_backward(grad, x, _like(1., mean) if weight is None else weight, *options)


def norm_sums(grad: Tensor, x: Tensor, mean: Tensor, invstd: Tensor) -> Sequence[Tensor]:
    """sum(grad y) and sum(grad) per channel."""
    weight = None if x.device.type == 'cpu' else _like(1., mean)
    return compat.native_batch_norm_backward(grad, x, weight, None, None, mean, invstd, True, 0.,
                                             [False, True, True])[1:]


def dot(a: Tensor, b: Tensor, mean: Tensor, factor: float = 1.) -> Tensor:
    """``factor * sum(a b)`` per channel without a map of products: :func:`norm_sums` with mean 0.

    Args:
        a, b (Tensor): [N, C, H, W].
        mean (Tensor): [C], of their dtype and device.
        factor (float): such as one over the number of pixels.
    """
    return norm_sums(a, b, _like(0., mean), _like(factor, mean))[0]


def second_norm_gradient(u: Tensor, gradient: Tensor, x: Tensor, mean: Tensor, invstd: Tensor,
                         grad_dot: Tensor) -> tuple[Tensor, Tensor]:
    """The adjoints of grad and x; ``u`` is the adjoint of ``gradient = P(grad)``, sums per channel are [C]."""
    for_grad, u_dot, _ = norm_gradient(u, x, mean, invstd)
    # sum(u P(g)) = n r s: the factors of P(g), of P(u) and of y
    share = x.shape[1] / x.numel()  # 1 / n
    by_gradient, by_u, by_y = torch.stack([u_dot, grad_dot, dot(u, gradient, mean, share)]).mul_(invstd).unbind()
    by_x = by_y * invstd
    for_x = torch.addcmul(by_channel(by_x * mean), by_channel(by_gradient), gradient, value=-share)
    return for_grad, for_x.addcmul_(by_channel(by_u), for_grad, value=-share).addcmul_(by_channel(by_x), x, value=-1)


class _BatchNorm(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, eps):
        y, mean, invstd = normalized(x, eps)
        ctx.save_for_backward(x, mean, invstd)
        return y

    @staticmethod
    def backward(ctx, grad):
        return _BatchNormGradient.apply(grad, *ctx.saved_tensors), None


class _BatchNormGradient(torch.autograd.Function):

    @staticmethod
    def forward(ctx, grad, x, mean, invstd):
        # poolings and expanded tensors give gradients of another layout
        grad = grad.contiguous(memory_format=memory_format_of(x))
        gradient, dot, _ = norm_gradient(grad, x, mean, invstd)
        ctx.save_for_backward(gradient, x, mean, invstd, dot)
        return gradient

    @staticmethod
    @once_differentiable
    def backward(ctx, u):
        gradient, x, mean, invstd, dot = ctx.saved_tensors
        u = u.contiguous(memory_format=memory_format_of(x))
        if not ctx.needs_input_grad[1]:
            return norm_gradient(u, x, mean, invstd)[0], None, None, None
        return *second_norm_gradient(u, gradient, x, mean, invstd, dot), None, None


def batch_norm(x: Tensor, eps: float = 1e-5) -> Tensor:
    """[N, C, H, W] normalised by the statistics of the batch, without affine parameters."""
    if not has_own(x):
        return nn.functional.batch_norm(x, None, None, training=True, eps=eps)
    return _BatchNorm.apply(x.contiguous(memory_format=memory_format_of(x)), eps)


@MODELS.register_module(name=['TwiceDifferentiableBatchNorm2d', 'TwiceBatchNorm2d'])  # configs may have either name
class TwiceDifferentiableBatchNorm2d(nn.BatchNorm2d):
    """``nn.BatchNorm2d`` that is fast to differentiate up to twice if it has no weights and no running statistics.

    A third derivative then raises. With affine weights, running statistics,
    autocast or half precision it is plain ``nn.BatchNorm2d``.
    """

    def forward(self, input: Tensor) -> Tensor:
        if self.affine or self.running_mean is not None or input.dim() != 4:
            return super().forward(input)
        return batch_norm(input, self.eps)


def twice_differentiable_norm_cfg(norm_cfg: dict | None) -> dict | None:
    """``norm_cfg`` with batch normalisation replaced by :class:`TwiceDifferentiableBatchNorm2d` where that is faster.
    """
    if norm_cfg is None or norm_cfg['type'] not in ('BN', 'BN2d') or (
            norm_cfg.get('affine', True) or norm_cfg.get('track_running_stats', True)):
        return norm_cfg
    return dict(norm_cfg, type='imtnas_mm.TwiceDifferentiableBatchNorm2d')
