"""Joins the kernels of all cells for their grouped convolutions.

The operations of a family are a single convolution, but each has its own
parameters. So a pass joins the kernels first. A narrow kernel gets a border of
zeros, which doesn't change its result. The kernels of all cells are joined
together: this takes a few operations per pass, not per cell.
"""
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...layers.joining import join


def side_by_side(slots: Iterable[Sequence[Tensor]]) -> list[Tensor]:
    """Joins the kernels of each slot.

    Args:
        slots (list[list[Tensor]]): [O, C, k, k] each, of the same C within a slot and of odd k.

    Returns:
        list[Tensor]: [sum of O, C, K, K] for each slot, where K is the width of its widest kernel.
    """
    wide = [list(slot) for slot in slots]
    _widen(wide)
    shapes: dict[torch.Size, list[int]] = {}  # shape of a kernel -> the slots with this shape
    for index, slot in enumerate(wide):
        if len(slot) > 1:
            shapes.setdefault(slot[0].shape[1:], []).append(index)
    joined = [slot[0] for slot in wide]
    for indices in shapes.values():
        kernels = join([kernel for index in indices for kernel in wide[index]])
        sizes = [sum(len(kernel) for kernel in wide[index]) for index in indices]
        for index, part in zip(indices, kernels.split(sizes), strict=True):
            joined[index] = part
    return joined


def _widen(slots: list[list[Tensor]]) -> None:
    """Puts a border of zeros around the narrow kernels; kernels of the same width together."""
    narrow: dict[tuple[int, int], list[tuple[int, int]]] = {}  # (width, width of its slot) -> (slot, place in it)
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
