"""Derivatives of an inner gradient, exact or by central differences, and what stands in their way."""
import torch
from torch.autograd.function import once_differentiable

from ..compat.focal_loss import plain_focal_loss
from ..transport import tensors_of
from .chain import leaves

ONCE = once_differentiable(lambda ctx: None).__code__


class SecondDerivativeError(RuntimeError):
    """An operator on the chain can't be differentiated twice; the message names its module."""


def nodes_of(*tensors):
    """The autograd nodes that tensors come from."""
    found, stack = set(), [t.grad_fn for t in tensors if t.grad_fn is not None]
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack.extend(parent for parent, _ in node.next_functions if parent is not None)
    return found


def differentiable_once(node):
    """Whether a node is of a Function whose backward is marked ``once_differentiable``."""
    backward = getattr(getattr(type(node), '_forward_cls', None), 'backward', None)
    return getattr(backward, '__code__', None) is ONCE


def check_twice_differentiable(function, module, prefix=''):
    """Runs ``function`` and raises unless all of its graph can be differentiated twice.

    ``once_differentiable`` gives constants, silently, where its incoming
    gradient needs none itself: the term would be lost without a word.

    Args:
        function: () -> loss.
        module (nn.Module): what computes it; its submodules are named in the error.

    Raises:
        SecondDerivativeError: names the module without one.
    """
    guilty = {}
    handles = []
    for name, child in module.named_modules():

        def note(_, __, output, name=name):
            for node in nodes_of(*tensors_of(output)):
                if differentiable_once(node):
                    guilty.setdefault(node, name)  # children finish first, so the innermost is kept

        handles.append(child.register_forward_hook(note))
    try:
        with plain_focal_loss():
            loss = function()
    finally:
        for handle in handles:
            handle.remove()
    for node in nodes_of(loss):
        if differentiable_once(node):
            name = guilty.get(node) or type(module).__name__
            raise SecondDerivativeError(
                f'{prefix}{name}: {type(node)._forward_cls.__name__} has no second derivative, '
                "which hypergradient='exact' needs. Use hypergradient='finite_difference' or "
                "'first_order', or a module without this operator")


def exact_pullback(function, inner, outer, adjoint):
    """d/d outer of ``<adjoint, d function / d inner>`` by double backward.

    Args:
        function: (inner, outer) -> loss.
        inner (list[Tensor]): what the inner gradient is taken by.
        outer (list[Tensor]): what the result is taken by; may overlap ``inner``
            in value, not in identity: a tensor that is both goes to ``inner``
            and its derivative comes first in the result.
        adjoint (list[Tensor]): shaped as ``inner``.

    Returns:
        list[Tensor]: shaped as ``inner`` then ``outer``.
    """
    inner, outer = leaves(inner), leaves(outer)
    with plain_focal_loss():
        loss = function(inner, outer)
    first = torch.autograd.grad(loss, inner, create_graph=True, allow_unused=True, materialize_grads=True)
    dependent = [(g, a) for g, a in zip(first, adjoint, strict=True) if g.requires_grad]
    if not dependent:
        return [torch.zeros_like(value) for value in inner + outer]
    return list(
        torch.autograd.grad([g for g, _ in dependent], inner + outer, [a for _, a in dependent],
                            allow_unused=True, materialize_grads=True))


# length of a step of the central difference: DARTS's .01 in float32; in float64 so short that it hardly ever crosses
# a kink of an activation, where gradients jump
STEP = {torch.float32: 1e-2, torch.float64: 1e-7}


def difference_pullback(function, inner, outer, adjoint):
    """:func:`exact_pullback` by central differences along the adjoint, at ``inner`` (DARTS Sec. 2.3, Eq. 8).

    ``(d/d. f(inner + e v) - d/d. f(inner - e v)) / 2e`` with ``e = .01 / ||v||``
    in float32; it needs first derivatives alone.
    """
    norm = torch.stack([(a * a).sum() for a in adjoint]).sum().sqrt()
    # of an adjoint of zeros both sides are the same, and so is their difference: 0, without a look at the norm
    step = STEP[adjoint[0].dtype] / norm.clamp_min(torch.finfo(norm.dtype).tiny)
    results = []
    for sign in (1, -1):
        moved = leaves([w + sign * step * a for w, a in zip(inner, adjoint, strict=True)])
        fixed = leaves(outer)
        loss = function(moved, fixed)
        results.append(
            torch.autograd.grad(loss, moved + fixed, allow_unused=True, materialize_grads=True))
    return [(plus - minus) / (2 * step) for plus, minus in zip(*results, strict=True)]
