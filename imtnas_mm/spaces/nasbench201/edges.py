"""The edges of a searched NAS-Bench-201 cell; edges from the same state are computed together.

A mixed edge is ``sum_o gate_o o(x)``. The edges that leave a state share its ReLU
and its pool; their 3x3 convolutions are one convolution to (targets x channels)
outputs, and so are their 1x1 convolutions. A norm has no affine parameters, so it is by
channel and takes the gates in. The identity and the pool of a state enter all its targets
as one matrix product (``mixing``). The sums are those of edges computed one by one; only their
order differs.
"""
import functools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...layers.activation import relu
from ...layers.convolution import conv2d
from ...layers.pooling import half_size
from ..edge_norm import EdgeNorm
from .layout import AVG_POOL, COLUMN, CONV_1X1, CONV_3X3, EDGES, OPERATIONS, SKIP, STATES
from .mixing import mix

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


def cell_gates(gates: Tensor, widths: Sequence[int]) -> list[CellGates]:
    """Gates [edges, operations] -> :class:`CellGates` for each width."""
    ordered = gates.flatten().index_select(0, _positions(gates.device)).view(len(EDGES), len(MIXED))
    convolutions, maps = ordered.split(2, 1)
    maps = maps.split(SIZES)
    by_width = []
    for width in widths:
        by_channel = convolutions.t()[:, :, None].expand(-1, -1, width).reshape(2 * len(EDGES) * width)
        split = by_channel.split([size * width for size in 2 * SIZES])
        by_width.append(CellGates(split[:len(SIZES)], split[len(SIZES):], maps))
    return by_width


@functools.cache
def _positions(device):
    """The indices of the gates of ``MIXED``, in the rows of ``BY_SOURCE``; made once per device."""
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
        mixture, sums = unflatten(gates), ()
        for source in SOURCES:
            x, *sums = mix(x, mixture.maps[source], self.convolved(source, x, mixture), sums)
        return x

    def convolved(self, source: int, x: Tensor, gates: CellGates) -> tuple[Tensor, Tensor]:
        """The maps of the convolutions from a state to its targets, [N, targets * C, H, W] each."""
        rectified, targets = relu(x), SIZES[source]
        return (
            self.norm.weighted(conv2d(rectified, self.conv_3x3[source], padding=1), gates.conv_3x3[source], targets),
            self.norm.weighted(conv2d(rectified, self.conv_1x1[source]), gates.conv_1x1[source], targets))


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


def kernel(outputs: int, inputs: int, size: int) -> nn.Parameter:
    """The weight of a convolution, initialised for a ReLU before it."""
    weight = nn.Parameter(torch.empty(outputs, inputs, size, size))
    nn.init.kaiming_normal_(weight, nonlinearity='relu')
    return weight
