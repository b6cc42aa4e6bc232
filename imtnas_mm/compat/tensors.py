"""Undocumented functions of PyTorch on tensors and lists of tensors."""

import torch
from torch.autograd.graph import Node

from .private import TORCH, Private

NAMES = (
    Private(
        'torch.Tensor._version', '',
        'tells whether a tensor was changed in place since its targets were computed',
        undefined='for tensors of inference mode'),
    Private('torch._foreach_norm', '', 'the norms of many tensors of one device by few launches', seen=TORCH),
    Private('torch._foreach_add_', '', 'adds to many tensors by few launches', seen=TORCH),
    Private('torch._foreach_mul', '', 'multiplies many tensors by few launches', seen=TORCH),
    Private('torch._foreach_copy_', '', 'copies into many tensors by few launches', seen=TORCH),
    Private(
        'torch._C._will_engine_execute_node', '',
        'a derivative that nobody asked for is not computed: ctx.needs_input_grad tells of the graph alone',
        undefined='raises outside of a backward pass, and of a leaf that a gradient is taken by', seen=TORCH),
)

foreach_norm = torch._foreach_norm  # pyright: ignore[reportPrivateImportUsage]
foreach_mul = torch._foreach_mul  # pyright: ignore[reportPrivateImportUsage]
foreach_copy_ = torch._foreach_copy_  # pyright: ignore[reportPrivateImportUsage]


def is_asked_for(node: Node | None) -> bool:
    """Whether the present backward pass goes on to a node, one of ``next_functions``; yes of any leaf."""
    if node is None:
        return False
    return not node.next_functions or torch._C._will_engine_execute_node(node)


def version_of(tensor: torch.Tensor) -> int | None:
    """A number that changes with each change in place; None for tensors of inference mode."""
    return None if tensor.is_inference() else tensor._version
