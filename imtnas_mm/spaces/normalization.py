"""A batch normalisation whose second derivative costs about as much as its first.

PyTorch composes its double backward of dozens of passes over the maps. By
channel, with ``r = (var x + eps)^-1/2``, ``y = (x - mean x) r`` and

    gx = dL/dx = P(g) = r (g - mean g - y mean(g y)),

P is linear and symmetric. With ``u`` the adjoint of gx, ``a = mean(g y)``,
``b = mean(u y)`` and ``s = mean(u g) - mean u mean g - a b``, the derivative of
``sum(u gx) = n r s`` by g is P(u). x enters through y, ``v = d/dy = -r (b g + a u)``,
and through r, ``dr/dx = -r^2 y / n``:

    adjoint of g = P(u)
    adjoint of x = P(v) - r^2 s y
                 = r^2 (b (mean g - g) + a (mean u - u) + (2 a b - s) y)
"""
import torch
from torch import nn
from torch.autograd.function import once_differentiable

from ..registry import MODELS

OWN_DTYPES = (torch.float32, torch.float64)


def layout_of(x):
    """The memory format that x is stored in."""
    channels_last = x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if channels_last else torch.contiguous_format


def by_channel(values):
    """[C] -> [1, C, 1, 1]"""
    return values.view(1, -1, 1, 1)


def has_own(x):
    """Whether the functions of this module serve x; PyTorch's take half precision, and refuse one value a channel."""
    return x.dtype in OWN_DTYPES and x.numel() > x.shape[1] and not torch.is_autocast_enabled(x.device.type)


def norm_gradient(grad, x, mean, invstd):
    """P(grad), sum(grad y) and sum(grad) by channel."""
    # eps is in invstd already
    return torch.ops.aten.native_batch_norm_backward(grad, x, None, None, None, mean, invstd, True, 0., [True] * 3)


def second_norm_gradient(u, grad, x, mean, invstd, grad_dot, grad_total):
    """The adjoints of grad and x for ``u``, that of P(grad)."""
    for_grad, u_dot, u_total = norm_gradient(u, x, mean, invstd)
    number = x.numel() // x.shape[1]
    a, b = grad_dot / number, u_dot / number
    grad_mean, u_mean = grad_total / number, u_total / number
    product = u * grad
    s = product.mean((0, 2, 3)) - u_mean * grad_mean - a * b
    square = invstd * invstd
    for_x = square * invstd * (2 * a * b - s)  # times x - mean
    constant = square * (b * grad_mean + a * u_mean) - for_x * mean
    constant, by_grad, by_u, by_x = map(by_channel, (constant, -square * b, -square * a, for_x))
    # in the memory of the product: a fresh map costs as much as a pass
    return for_grad, torch.addcmul(constant, by_grad, grad, out=product).addcmul_(by_u, u).addcmul_(by_x, x)


class _BatchNorm(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, eps):
        y, mean, invstd = torch.ops.aten.native_batch_norm(x, None, None, None, None, True, 0., eps)
        ctx.save_for_backward(x, mean, invstd)
        return y

    @staticmethod
    def backward(ctx, grad):
        return _BatchNormGradient.apply(grad, *ctx.saved_tensors), None


class _BatchNormGradient(torch.autograd.Function):

    @staticmethod
    def forward(ctx, grad, x, mean, invstd):
        # of another layout where it comes from a pooling or an expanded tensor
        grad = grad.contiguous(memory_format=layout_of(x))
        found, dot, total = norm_gradient(grad, x, mean, invstd)
        ctx.save_for_backward(grad, x, mean, invstd, dot, total)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx, u):
        grad, x, mean, invstd, dot, total = ctx.saved_tensors
        u = u.contiguous(memory_format=layout_of(x))
        if not ctx.needs_input_grad[1]:
            return norm_gradient(u, x, mean, invstd)[0], None, None, None
        return *second_norm_gradient(u, grad, x, mean, invstd, dot, total), None, None


def batch_norm(x, eps=1e-5):
    """[N, C, H, W] normalised by the statistics of the batch, without affine parameters."""
    if not has_own(x):
        return nn.functional.batch_norm(x, None, None, training=True, eps=eps)
    return _BatchNorm.apply(x.contiguous(memory_format=layout_of(x)), eps)


@MODELS.register_module()
class TwiceBatchNorm2d(nn.BatchNorm2d):
    """``nn.BatchNorm2d`` to be differentiated up to twice, fast where it has no weights and no running statistics.

    A third derivative raises there. Everything else is ``nn.BatchNorm2d``:
    affine weights, running statistics, autocast, half precision.
    """

    def forward(self, input):
        if self.affine or self.running_mean is not None or input.dim() != 4:
            return super().forward(input)
        return batch_norm(input, self.eps)


def twice_norm_cfg(norm_cfg):
    """``norm_cfg`` with :class:`TwiceBatchNorm2d` for batch normalisation that it makes faster."""
    statistics_alone = norm_cfg is not None and norm_cfg['type'] in ('BN', 'BN2d') and not (
        norm_cfg.get('affine', True) or norm_cfg.get('track_running_stats', True))
    return dict(norm_cfg, type='imtnas_mm.TwiceBatchNorm2d') if statistics_alone else norm_cfg
