"""Moves the tensors of a test to a device."""
import torch
from torch.utils._pytree import tree_map_only


def moved(values, device):
    """The same lists, tuples and dicts with their tensors on ``device``, as leaves that need gradients as before."""
    return tree_map_only(torch.Tensor, lambda x: x.detach().to(device).requires_grad_(x.requires_grad), values)
