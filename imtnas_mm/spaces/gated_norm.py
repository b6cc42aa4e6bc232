"""Normalised maps weighted and summed in one go: ``sum_i w_i BN(x_i)``, weights by channel.

Of every x_i only itself is kept for the backward pass, not its normalised map.
With P the gradient of batch normalisation (see ``normalization``) and y_i the
normalised map,

    dL/dx_i = w_i P(g; x_i),    dL/dw_i = sum(g y_i)

and with ``U`` and ``V`` the adjoints of the two, ``u = w_i U``,

    adjoint of g   = P(u) + V y_i
    adjoint of x_i = (that of P at u) + V P(g)
    adjoint of w_i = sum(U P(g))
"""
import torch
from torch.autograd.function import once_differentiable

from .normalization import batch_norm, by_channel, has_own, layout_of, norm_gradient, second_norm_gradient


class _GatedNorms(torch.autograd.Function):

    @staticmethod
    def forward(ctx, eps, *arguments):
        maps, weights = arguments[::2], arguments[1::2]
        total, saved = None, []
        for x, weight in zip(maps, weights, strict=True):
            y, mean, invstd = torch.ops.aten.native_batch_norm(x, None, None, None, None, True, 0., eps)
            weight = by_channel(weight)
            total = y.mul_(weight) if total is None else total.addcmul_(y, weight)
            saved += [mean, invstd]
        ctx.save_for_backward(*arguments, *saved)
        return total

    @staticmethod
    def backward(ctx, grad):
        count = len(ctx.saved_tensors) // 2
        arguments, saved = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        grad = grad.contiguous(memory_format=layout_of(arguments[0]))
        found = []
        for i in range(0, count, 2):
            found += _GatedNormGradient.apply(grad, *arguments[i:i + 2], *saved[i:i + 2])
        return None, *found


class _GatedNormGradient(torch.autograd.Function):

    @staticmethod
    def forward(ctx, grad, x, weight, mean, invstd):
        found, dot, total = norm_gradient(grad, x, mean, invstd)
        ctx.save_for_backward(grad, x, weight, mean, invstd, dot, total)
        return found.mul_(by_channel(weight)), dot.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, u, v):
        grad, x, weight, mean, invstd, dot, total = ctx.saved_tensors
        u = u.contiguous(memory_format=layout_of(x))
        for_weight = None
        plain = norm_gradient(grad, x, mean, invstd)[0]
        if ctx.needs_input_grad[2]:
            for_weight = (u * plain).sum((0, 2, 3))
        for_grad, for_x = second_norm_gradient(u * by_channel(weight), grad, x, mean, invstd, dot, total)
        for_grad += (x - by_channel(mean)) * by_channel(invstd * v)
        for_x += plain * by_channel(v)
        return for_grad, for_x, for_weight, None, None


def gated_norms(maps, weights, eps=1e-5):
    """``sum_i w_i BN(x_i)``.

    Args:
        maps (list[Tensor]): [N, C, H, W] each.
        weights (list[Tensor]): [C] each.
    """
    x = maps[0]
    if not has_own(x):
        return sum(batch_norm(x, eps) * by_channel(weight) for x, weight in zip(maps, weights, strict=True))
    maps = [y.contiguous(memory_format=layout_of(x)) for y in maps]
    return _GatedNorms.apply(eps, *(part for pair in zip(maps, weights, strict=True) for part in pair))
