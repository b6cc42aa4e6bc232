"""Normalised maps weighted and summed in one go: ``sum_i w_i BN(x_i)``, weights by channel.

Of every x_i only itself is kept for the backward pass, not its normalised map.
With P the gradient of batch normalisation (see ``normalization``, which has a,
b, r and s, too) and y_i the normalised map,

    dL/dx_i = w_i P(g; x_i),    dL/dw_i = sum(g y_i)

and with ``u`` and ``v`` the adjoints of the two,

    adjoint of g   = sum_i w_i P(u_i) + v_i y_i
    adjoint of x_i = -r (b w_i P(g) + a w_i P(u_i) + w_i r s y_i) + v_i P(g)
    adjoint of w_i = sum(u_i P(g)) = sum(g P(u_i)) = n r s
"""

import torch
from torch.autograd.function import once_differentiable

from .normalization import batch_norm, by_channel, dot, has_own, layout_of, norm_gradient, normalized


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
            found, product, _ = norm_gradient(grad, x, mean, invstd, weight)
            for_maps.append(found)
            dots.append(product)
        ctx.save_for_backward(grad, *for_maps, *saved, *dots)
        ctx.set_materialize_grads(False)
        return *for_maps, *dots

    @staticmethod
    @once_differentiable
    def backward(ctx, *adjoints):
        grad, *saved = ctx.saved_tensors
        count = len(saved) // 6
        gradients, maps, weights, means, invstds, dots = (saved[i:i + count] for i in range(0, 6 * count, count))
        us = [torch.zeros_like(grad) if u is None else u.contiguous(memory_format=layout_of(grad))
              for u in adjoints[:count]]
        of_us = [norm_gradient(u, x, mean, invstd) for u, x, mean, invstd in zip(us, maps, means, invstds, strict=True)]
        for_weights = [dot(p, grad, means[0]) for p, _, _ in of_us]
        # rows: b, a and n r s, which become the factors of w P(g), of P(u) and of x
        rows = torch.stack([*(b for _, b, _ in of_us), *dots, *for_weights, *weights, *means, *invstds]).unflatten(
            0, (6, count))
        w, mean, r = rows[3:].unbind()
        rows[:3].mul_(r / (grad.numel() // grad.shape[1]))
        rows[1:3].mul_(w)
        rows[2].mul_(r)
        constants = rows[2] * mean
        for_grad, for_maps = of_us[0][0] * by_channel(weights[0]), []
        for i, (x, gradient, (of_u, _, _)) in enumerate(zip(maps, gradients, of_us, strict=True)):
            if i:
                for_grad.addcmul_(by_channel(weights[i]), of_u)
            by_gradient, by_u, by_x = map(by_channel, rows[:3, i].unbind())
            for_map = torch.addcmul(by_channel(constants[i]), by_gradient, gradient, value=-1)
            for_maps.append(for_map.addcmul_(by_u, of_u, value=-1).addcmul_(by_x, x, value=-1))
        for i, v in enumerate(adjoints[count:]):
            if v is not None:
                of_grad, _, _ = norm_gradient(grad, maps[i], means[i], invstds[i])
                by_map = v * invstds[i]
                for_grad.sub_(by_channel(by_map * means[i])).addcmul_(by_channel(by_map), maps[i])
                for_maps[i].addcmul_(by_channel(v), of_grad)
        unwanted = [None] * (2 * count)
        return for_grad, None, *for_maps, *for_weights, *unwanted


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
