"""Moves the tensors of a test to a device, and draws there what a CPU draws."""
import torch
from torch.utils._pytree import tree_map_only


def moved(values, device):
    """The same lists, tuples and dicts with their tensors on ``device``, as leaves that need gradients as before."""
    return tree_map_only(torch.Tensor, lambda x: x.detach().to(device).requires_grad_(x.requires_grad), values)


def host_dropout(x, p=.5, training=True, inplace=False):
    """``torch.nn.functional.dropout`` whose mask is the one of a CPU, on any device."""
    if not training or not p:
        return x
    return x * torch.empty(x.shape, dtype=x.dtype).bernoulli_(1 - p).div_(1 - p).to(x.device)
