"""Batch normalisation times a weight per channel as one operator: ``w BN(x)``.

The backward pass keeps x alone, not the normalised map y. With P the gradient of batch
normalisation and a, b, r and s as in ``normalization``,

    dL/dx = w P(g),    dL/dw = sum(g y)

and with ``u`` and ``v`` the adjoints of the two,

    adjoint of g = w P(u) + v y
    adjoint of x = -r (b w P(g) + a w P(u) + w r s y) + v P(g)
    adjoint of w = sum(u P(g)) = sum(g P(u)) = n r s
"""
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .normalization import batch_norm, by_channel, dot, has_own, memory_format_of, norm_gradient, normalized


class _GatedNorm(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, weight, eps):
        y, mean, invstd = normalized(x, eps)
        ctx.save_for_backward(x, weight, mean, invstd)
        return y.mul_(by_channel(weight))

    @staticmethod
    def backward(ctx, grad):
        grad = grad.contiguous(memory_format=memory_format_of(ctx.saved_tensors[0]))
        return *_GatedNormGradient.apply(grad, *ctx.saved_tensors), None


class _GatedNormGradient(torch.autograd.Function):

    @staticmethod
    def forward(ctx, grad, x, weight, mean, invstd):
        for_x, for_weight, _ = norm_gradient(grad, x, mean, invstd, weight)
        ctx.save_for_backward(grad, for_x, for_weight, x, weight, mean, invstd)
        ctx.set_materialize_grads(False)
        return for_x, for_weight

    @staticmethod
    @once_differentiable
    def backward(ctx, u, v):
        grad, gradient, grad_dot, x, weight, mean, invstd = ctx.saved_tensors
        u = torch.zeros_like(grad) if u is None else u.contiguous(memory_format=memory_format_of(grad))
        of_u, u_dot, _ = norm_gradient(u, x, mean, invstd)
        for_weight = dot(of_u, grad, mean)
        # b, a and n r s become the factors of w P(g), P(u) and x
        rows = torch.stack([u_dot, grad_dot, for_weight]).mul_(invstd / (grad.numel() // grad.shape[1]))
        rows[1:].mul_(weight)
        rows[2].mul_(invstd)
        by_gradient, by_u, by_x = map(by_channel, rows.unbind())
        for_grad = of_u * by_channel(weight)
        for_x = torch.addcmul(by_channel(rows[2] * mean), by_gradient, gradient, value=-1)
        for_x.addcmul_(by_u, of_u, value=-1).addcmul_(by_x, x, value=-1)
        if v is not None:
            of_grad, _, _ = norm_gradient(grad, x, mean, invstd)
            by_map = v * invstd
            for_grad.sub_(by_channel(by_map * mean)).addcmul_(by_channel(by_map), x)
            for_x.addcmul_(by_channel(v), of_grad)
        return for_grad, for_x, for_weight, None, None


def gated_norm(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """``w BN(x)`` of a map [N, C, H, W] and a weight [C]."""
    if not has_own(x):
        return batch_norm(x, eps) * by_channel(weight)
    return _GatedNorm.apply(x.contiguous(memory_format=memory_format_of(x)), weight, eps)
