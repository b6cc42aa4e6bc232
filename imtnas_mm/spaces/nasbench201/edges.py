"""The edges of a searched NAS-Bench-201 cell, those that leave one state computed together.

A mixed edge is ``sum_o gate_o o(x)``. The edges that leave a state share its ReLU
and its pool; their 3x3 convolutions are one convolution to (targets x channels)
outputs, and so are their 1x1 convolutions. A norm has no affine parameters, so it is by
channel and takes the gates in. The identity and the pool of a state enter all its targets
as one matrix product. The sums are those of edges computed one by one; only their
order differs.
"""
import functools
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...layers.activation import relu
from ...layers.convolution import conv2d
from ...layers.joining import stack
from ...layers.pooling import avg_pool
from ..edge_norm import EdgeNorm
from .layout import AVG_POOL, COLUMN, CONV_1X1, CONV_3X3, EDGES, OPERATIONS, SKIP, STATES

SOURCES = range(STATES - 1)
LEAVING = tuple(tuple(i for i, edge in enumerate(EDGES) if edge.source == source) for source in SOURCES)
BY_SOURCE = [i for leaving in LEAVING for i in leaving]
MIXED = (CONV_3X3, CONV_1X1, SKIP, AVG_POOL)  # `none` brings nothing
SIZES = [len(leaving) for leaving in LEAVING]


class CellGates(NamedTuple):
    """The gates that the cells of a width take, by the state that edges leave.

    Args:
        conv_3x3, conv_1x1 (tuple[Tensor]): [targets * C] per state.
        maps (tuple[Tensor]): [targets, 2] per state, of the identity and of the pool.
    """
    conv_3x3: tuple[Tensor, ...]
    conv_1x1: tuple[Tensor, ...]
    maps: tuple[Tensor, ...]

    def flat(self) -> list[Tensor]:
        """All tensors, which :func:`unflatten` takes."""
        return [*self.conv_3x3, *self.conv_1x1, *self.maps]


def unflatten(tensors: tuple[Tensor, ...]) -> CellGates:
    """The inverse of :meth:`CellGates.flat`."""
    number = len(SOURCES)
    return CellGates(tensors[:number], tensors[number:2 * number], tensors[2 * number:])


def cell_gates(gates: Tensor, widths: list[int]) -> list[CellGates]:
    """Gates [edges, operations] -> :class:`CellGates` for each of some widths."""
    ordered = gates.flatten().index_select(0, _positions(gates.device)).view(len(EDGES), len(MIXED))
    convolutions, maps = ordered.split(2, 1)
    maps = maps.split(SIZES)
    found = []
    for width in widths:
        by_channel = convolutions.t()[:, :, None].expand(-1, -1, width).reshape(2 * len(EDGES) * width)
        split = by_channel.split([size * width for size in 2 * SIZES])
        found.append(CellGates(split[:len(SIZES)], split[len(SIZES):], maps))
    return found


@functools.cache
def _positions(device):
    """Of the gates of ``MIXED`` in the rows of ``BY_SOURCE``, made once per device."""
    return torch.tensor([edge * len(OPERATIONS) + COLUMN[operation] for edge in BY_SOURCE for operation in MIXED],
                        device=device)


class SearchCell(nn.Module):
    """One cell with all its candidates, from [N, C, H, W] to the same.

    Args:
        channels (int): C.
        norm (EdgeNorm): of all convolutions.
    """

    def __init__(self, channels: int, norm: EdgeNorm) -> None:
        super().__init__()
        self.channels, self.norm = channels, norm
        self.conv_3x3, self.conv_1x1 = (
            nn.ParameterList(kernel(targets * channels, channels, size) for targets in SIZES) for size in (3, 1))

    def forward(self, x: Tensor, *gates: Tensor) -> Tensor:
        mixture = unflatten(gates)
        sums: list[Tensor | None] = [None] * STATES  # what the edges have brought so far
        for source in SOURCES:
            pieces = self.leaving(source, x, mixture)
            for target, piece in enumerate(pieces, source + 1):
                total = sums[target]
                sums[target] = piece if total is None else total + piece
            x = sums[source + 1]
        return x

    def leaving(self, source: int, x: Tensor, gates: CellGates) -> list[Tensor]:
        """What the edges from a state bring to each of their targets, [N, C, H, W] each."""
        targets = SIZES[source]
        rectified = relu(x)
        convolved = self.norm.weighted(
            conv2d(rectified, self.conv_3x3[source], padding=1), gates.conv_3x3[source], targets)
        convolved = convolved + self.norm.weighted(
            conv2d(rectified, self.conv_1x1[source]), gates.conv_1x1[source], targets)
        maps = stack([x.permute(0, 2, 3, 1), avg_pool(x, 1).permute(0, 2, 3, 1)])
        mixed = (gates.maps[source] @ maps.reshape(2, -1)).view(targets, *maps.shape[1:])
        return [piece + mixture.permute(0, 3, 1, 2) for piece, mixture in zip(
            convolved.split(self.channels, 1), mixed.unbind(), strict=True)]


class SearchReduction(nn.Module):
    """The residual block of stride 2 between two stages, [N, C, H, W] -> [N, 2 C, ceil(H / 2), ceil(W / 2)].

    Args:
        channels (int): C.
        norm (EdgeNorm): after both 3x3 convolutions.
    """

    def __init__(self, channels: int, norm: EdgeNorm) -> None:
        super().__init__()
        self.norm = norm
        self.first = kernel(2 * channels, channels, 3)
        self.second = kernel(2 * channels, 2 * channels, 3)
        self.shortcut = kernel(2 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(conv2d(relu(x), self.first, 2, 1), 1)
        y = self.norm(conv2d(relu(y), self.second, padding=1), 1)
        return y + conv2d(half_size(x), self.shortcut)


def half_size(x: Tensor) -> Tensor:
    """The means of 2x2 pixels, of fewer at the border of an odd size."""
    return nn.functional.avg_pool2d(x, 2, 2, ceil_mode=True)


def kernel(outputs: int, inputs: int, size: int) -> nn.Parameter:
    """The weight of a convolution, initialised for a ReLU before it."""
    weight = nn.Parameter(torch.empty(outputs, inputs, size, size))
    nn.init.kaiming_normal_(weight, nonlinearity='relu')
    return weight
