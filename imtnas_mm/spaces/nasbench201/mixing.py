"""Adds the contributions of a cell's state to the later states, with fast second derivatives.

With the pool P, the gates ``r [T, 2]`` of identity and pool, the convolved maps ``c`` (T
side by side in each) and the sums ``s`` of the states before,

    y_t = s_t + sum_i c_it + r_t1 x + r_t2 P x

and with ``g_t = dL/dy_t``,

    dL/dx = sum_t r_t1 g_t + P^T sum_t r_t2 g_t,  dL/dr_t = (<g_t, x>, <g_t, P x>),  dL/dc_it = dL/ds_t = g_t

It is linear in x, in r, in c and in s, so that the second derivatives are of the same kind.
One function in place of some two dozen takes little of a small network's time.
"""
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ...compat.tensors import is_asked_for
from ...layers.pooling import avg_pool, avg_pool_transposed


def mix(x: Tensor, rows: Tensor, convolved: Sequence[Tensor], before: Sequence[Tensor] = ()) -> tuple[Tensor, ...]:
    """Adds the contributions of a state to the sums of the later states.

    Args:
        x (Tensor): [N, C, H, W], the state.
        rows (Tensor): [T, 2], the gates of the identity and of the pool.
        convolved (sequence of Tensor): [N, T C, H, W] each.
        before (sequence of Tensor): [N, C, H, W], a sum per target, or none at all.

    Returns:
        tuple[Tensor]: T sums [N, C, H, W], channels last.
    """
    if x.dtype != rows.dtype or torch.is_autocast_enabled(x.device.type):
        return _plain(x, rows, convolved, before)
    return _Mix.apply(x, rows, len(convolved), *convolved, *before)


def _plain(x, rows, convolved, before):
    """:func:`mix` in mixed precision."""
    sums = (rows @ _maps(x, avg_pool(x, 1))).view(len(rows), *_flat(x).shape)
    sums = sums + sum(_apart(maps, len(rows)) for maps in convolved)
    totals = [total.permute(0, 3, 1, 2) for total in sums.unbind()]
    return tuple(map(torch.add, totals, before) if before else totals)


def _flat(x):
    """[N, C, H, W] -> [N, H, W, C]"""
    return x.permute(0, 2, 3, 1)


def _maps(x, pooled):
    """A state and its pool, [2, N H W C]."""
    return torch.stack([_flat(x), _flat(pooled)]).view(2, -1)


def _apart(x, targets):
    """[N, T C, H, W] -> [T, N, H, W, C], a view where x is channels last."""
    return _flat(x).unflatten(3, (targets, -1)).permute(3, 0, 1, 2, 4)


def _together(x):
    """The inverse of :func:`_apart`."""
    return x.permute(1, 2, 3, 0, 4).flatten(3).permute(0, 3, 1, 2)


def _by_state(rows, gradients):
    """dL/dx of [T, N, H, W, C]."""
    direct, pooled = (rows.t() @ gradients.view(len(rows), -1)).view(2, *gradients.shape[1:]).permute(0, 1, 4, 2, 3)
    return avg_pool_transposed(pooled, direct.shape).add_(direct)


def _stacked(gradients):
    return torch.stack([_flat(gradient) for gradient in gradients])


class _Mix(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, rows, count, *others):
        pooled = avg_pool(x, 1)
        ctx.save_for_backward(x, rows, pooled)
        ctx.count, ctx.others = count, len(others)
        sums = (rows @ _maps(x, pooled)).view(len(rows), *_flat(x).shape)
        for convolved in others[:count]:
            sums += _apart(convolved, len(rows))
        for total, before in zip(sums, others[count:], strict=False):
            total += _flat(before)
        return tuple(total.permute(0, 3, 1, 2) for total in sums)

    @staticmethod
    def backward(ctx, *gradients):
        by_rows = ctx.needs_input_grad[1] and is_asked_for(ctx.next_functions[1][0])
        for_x, for_rows, for_convolved = _MixGradient.apply(*ctx.saved_tensors, by_rows, *gradients)
        for_before = gradients[:ctx.others - ctx.count]
        return for_x, for_rows, None, *[for_convolved] * ctx.count, *for_before


class _MixGradient(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, rows, pooled, by_rows, *gradients):
        ctx.save_for_backward(x, rows, pooled, *gradients)
        ctx.set_materialize_grads(False)
        stacked = _stacked(gradients)
        for_rows = stacked.view(len(rows), -1) @ _maps(x, pooled).t() if by_rows else None
        return _by_state(rows, stacked), for_rows, _together(stacked)

    @staticmethod
    @once_differentiable
    def backward(ctx, u, v, w):
        x, rows, pooled, *gradients = ctx.saved_tensors
        totals = torch.zeros(len(rows), x.numel(), dtype=x.dtype, device=x.device)
        for_x = for_rows = None
        if u is not None:
            maps = _maps(u, avg_pool(u, 1))
            totals.addmm_(rows, maps)
            for_rows = _stacked(gradients).view(len(rows), -1) @ maps.t()
        if v is not None:
            totals.addmm_(v, _maps(x, pooled))
            for_x = _by_state(v, _stacked(gradients))
        totals = totals.view(len(rows), *_flat(x).shape)
        if w is not None:
            totals += _apart(w, len(rows))
        return for_x, for_rows, None, None, *(total.permute(0, 3, 1, 2) for total in totals)
