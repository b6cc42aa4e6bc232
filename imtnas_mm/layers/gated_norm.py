"""Normalised maps weighted and summed in one go: ``sum_i w_i BN(x_i)``, weights by channel.

Of every x_i only itself is kept for the backward pass, not its normalised map.
With P the gradient of batch normalisation (see ``normalization``, which has a,
b, r and s, too) and y_i the normalised map,

    dL/dx_i = w_i P(g; x_i),    dL/dw_i = sum(g y_i)

and with ``u`` and ``v`` the adjoints of the two,

    adjoint of g   = sum_i w_i P(u; x_i) + v_i y_i
                   = sum_i w_i r (u - mean u) - k (x_i - mean x_i)
    adjoint of x_i = w_i (that of x for P at u) + v_i P(g)
                   = c - k g - w_i r^2 a u - (w_i r^3 (s - 2 a b) + v_i r^2 a) x_i
    adjoint of w_i = sum(u P(g)) = n r s

where ``k = w_i r^2 b - v_i r`` and c makes the mean of an adjoint of x_i 0.
"""
import torch
from torch.autograd.function import once_differentiable

from .normalization import batch_norm, by_channel, dot, has_own, layout_of, norm_gradient, norm_sums, normalized


class _GatedNorms(torch.autograd.Function):

    @staticmethod
    def forward(ctx, eps, count, *operands):
        maps, weights = operands[:count], operands[count:]
        found, means, invstds = None, [], []
        for x, weight in zip(maps, weights, strict=True):
            y, mean, invstd = normalized(x, eps)
            weight = by_channel(weight)
            found = y.mul_(weight) if found is None else found.addcmul_(y, weight)
            means.append(mean)
            invstds.append(invstd)
        ctx.save_for_backward(*operands, *means, *invstds)
        return found

    @staticmethod
    def backward(ctx, grad):
        count = len(ctx.saved_tensors) // 4
        grad = grad.contiguous(memory_format=layout_of(ctx.saved_tensors[0]))
        return None, None, *_GatedNormsGradient.apply(grad, count, *ctx.saved_tensors)


class _GatedNormsGradient(torch.autograd.Function):

    @staticmethod
    def forward(ctx, grad, count, *saved):
        maps, weights, means, invstds = (saved[i:i + count] for i in range(0, 4 * count, count))
        for_maps, dots = [], []
        for x, weight, mean, invstd in zip(maps, weights, means, invstds, strict=True):
            found, product, total = norm_gradient(grad, x, mean, invstd, weight)
            for_maps.append(found)
            dots.append(product)
        ctx.save_for_backward(grad, total, *saved, *dots)
        return *for_maps, *dots

    @staticmethod
    @once_differentiable
    def backward(ctx, *adjoints):
        grad, total, *saved = ctx.saved_tensors
        count = len(saved) // 5
        maps, weights, means, invstds, dots = (saved[i:i + count] for i in range(0, 5 * count, count))
        us = [u.contiguous(memory_format=layout_of(grad)) for u in adjoints[:count]]
        sums = [norm_sums(u, x, mean, invstd) for u, x, mean, invstd in zip(us, maps, means, invstds, strict=True)]
        # rows of means: b, a and that of u g; of g, of u and of x
        rows = torch.stack([
            *(u_dot for u_dot, _ in sums), *dots, *(dot(u, grad, means[0]) for u in us),
            *[total] * count, *(u_total for _, u_total in sums), *means,
            *invstds, *weights, *adjoints[count:]
        ]).view(9, count, -1)
        number = grad.numel() // grad.shape[1]
        rows[:5].div_(number)
        b, a, s, grad_mean, u_mean, mean, r, w, v = rows.unbind()
        wr, vr = wv = rows[7:] * r
        wr2, vr2 = wv * r
        ab = a * b
        s.addcmul_(u_mean, grad_mean, value=-1).sub_(ab).mul_(r)
        for_weights = s * number
        s.addcmul_(ab, r, value=-2)
        factors = rows[:3] * wr2  # k, and those of u and of x
        factors[0].sub_(vr)
        factors[2].addcmul_(vr2, a)
        constants = (factors * rows[3:6]).sum(0)
        for_grad = by_channel((factors[0] * mean).addcmul_(wr, u_mean, value=-1).sum(0))
        for_maps = []
        for i, (u, x) in enumerate(zip(us, maps, strict=True)):
            by_grad, by_u, by_x = map(by_channel, factors[:, i].unbind())
            for_grad = _added(for_grad, by_channel(wr[i]), u).addcmul_(by_grad, x, value=-1)
            for_map = torch.addcmul(by_channel(constants[i]), by_grad, grad, value=-1)
            for_maps.append(for_map.addcmul_(by_u, u, value=-1).addcmul_(by_x, x, value=-1))
        unwanted = [None] * (2 * count)
        return for_grad, None, *for_maps, *for_weights.unbind(), *unwanted


def _added(total, factor, x):
    """``total + factor x``, in the memory of the total once it is a map."""
    return total.addcmul_(factor, x) if total.shape == x.shape else torch.addcmul(total, factor, x)


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
    return _GatedNorms.apply(eps, len(maps), *maps, *weights)
