"""Refuses operators without a second derivative, by which a chain would silently lose a term."""
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.autograd.graph import Node

ADVICE = 'which exact_pullback needs. Use difference_pullback, or a module without this operator'
ONCE = once_differentiable(lambda ctx: None).__code__


class SecondDerivativeError(RuntimeError):
    """An operator on the chain can't be differentiated twice; the message names its module."""


def outputs_of(output: object) -> Iterator[Tensor]:
    """The tensors in the output of a module: a tensor, or lists, tuples and mappings of outputs."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping | list | tuple):
        for value in output.values() if isinstance(output, Mapping) else output:
            yield from outputs_of(value)


def nodes_of(*tensors: Tensor) -> set[Any]:
    """All autograd nodes in the graphs of tensors."""
    nodes, stack = set(), [t.grad_fn for t in tensors if t.grad_fn is not None]
    while stack:
        node = stack.pop()
        if node not in nodes:
            nodes.add(node)
            stack.extend(parent for parent, _ in node.next_functions if parent is not None)
    return nodes


def differentiable_once(node: Node) -> bool:
    """Whether the backward of a node's Function is marked ``once_differentiable``."""
    backward = getattr(getattr(type(node), '_forward_cls', None), 'backward', None)
    return getattr(backward, '__code__', None) is ONCE


def check_twice_differentiable(function: Callable[[], Tensor], module: nn.Module, prefix: str = '',
                               advice: str = ADVICE) -> None:
    """Runs ``function`` and raises unless all of its graph can be differentiated twice.

    Where its incoming gradient needs no gradient, ``once_differentiable``
    returns constants without an error: the term would be lost.

    Args:
        function: () -> loss.
        module (nn.Module): computes the loss; the error names its submodule.
        prefix (str): goes before the submodule's name.
        advice (str): ends the error's sentence "... has no second derivative, ".

    Raises:
        SecondDerivativeError: names the module without one.
    """
    guilty = {}
    handles = []
    for name, child in module.named_modules():

        def note(_, __, output, name=name):
            for node in nodes_of(*outputs_of(output)):
                if differentiable_once(node):
                    guilty.setdefault(node, name)  # children finish first, so the innermost is kept

        handles.append(child.register_forward_hook(note))
    try:
        loss = function()
    finally:
        for handle in handles:
            handle.remove()
    for node in nodes_of(loss):
        if differentiable_once(node):
            name = guilty.get(node) or type(module).__name__
            raise SecondDerivativeError(
                f'{prefix}{name}: {type(node)._forward_cls.__name__} has no second derivative, {advice}')
