"""The kernels of all cells, laid side by side as their grouped convolutions take them.

The operations of a family are one convolution. Their kernels are parameters of
their own, so a pass joins them first: a narrow kernel gets a border of zeros,
which doesn't change what it computes. All cells are joined at once, which is
a few operations per pass and not per cell.
"""
import torch.nn.functional as F

from ...layers.joining import join


def side_by_side(slots):
    """Joins the kernels of each slot.

    Args:
        slots (list[list[Tensor]]): [O, C, k, k] each, in a slot of one C and of odd k.

    Returns:
        list[Tensor]: [sum of O, C, K, K] of each slot, K its widest kernel.
    """
    slots = [list(slot) for slot in slots]
    _widen(slots)
    shapes = {}  # of a kernel -> the slots that have it
    for index, slot in enumerate(slots):
        if len(slot) > 1:
            shapes.setdefault(slot[0].shape[1:], []).append(index)
    joined = [slot[0] for slot in slots]
    for indices in shapes.values():
        kernels = join([kernel for index in indices for kernel in slots[index]])
        sizes = [sum(len(kernel) for kernel in slots[index]) for index in indices]
        for index, part in zip(indices, kernels.split(sizes), strict=True):
            joined[index] = part
    return joined


def _widen(slots):
    """Gives the narrow kernels a border of zeros, all of a width at once."""
    narrow = {}  # (width, that of its slot) -> (slot, place in it)
    for index, slot in enumerate(slots):
        widest = max(kernel.shape[-1] for kernel in slot)
        for place, kernel in enumerate(slot):
            if kernel.shape[-1] < widest:
                narrow.setdefault((kernel.shape[-1], widest), []).append((index, place))
    for (width, widest), places in narrow.items():
        kernels = [slots[index][place] for index, place in places]
        padded = F.pad(join(kernels), [(widest - width) // 2] * 4)
        for (index, place), part in zip(places, padded.split([len(kernel) for kernel in kernels]), strict=True):
            slots[index][place] = part
