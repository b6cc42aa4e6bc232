"""The edges of a searched cell, computed together.

A mixed edge is ``sum_o gate_o o(x)`` (Liu et al., 2019, DARTS, Eq. 2). Edges that
leave one state share its ReLU and its pools; their convolutions are one grouped
convolution a kernel, over (edges x channels). Normalisation has no affine
parameters, so it's by channel and one call too. Pools and the identity enter
the nodes as one matrix product, and a dilated convolution of an even map is an
ordinary one of its four phases. The sums are those of edges computed one by
one; only their order differs.
"""
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .cell_blocks import parities
from .cell_layout import (
    AVG_POOL,
    COLUMN,
    CONVOLUTIONS,
    DILATED,
    EDGES,
    MAX_POOL,
    OPERATIONS,
    SEPARABLE,
    SKIP,
    kernel_size,
)
from .convolution import conv2d

# operation -> its weights: (name, whether depthwise)
PARTS = {
    **{operation: (('depthwise1', True), ('pointwise1', False), ('depthwise2', True), ('pointwise2', False))
       for operation in SEPARABLE},
    **{operation: (('depthwise', True), ('pointwise', False)) for operation in DILATED},
}
HALVES = ('even', 'odd')  # the two convolutions of a factorised reduction


class Mixture(NamedTuple):
    """How a kind of cell mixes its operations.

    Args:
        gates (Tensor): [14, 8], a row an edge, a column an operation.
        chosen (list[list[bool]], optional): [14, 8], what is computed; all by
            default. The gates of the others are zero.
        skip_dropout (float): of each identity edge of stride 1.
        edge_weights (Tensor, optional): [14], already in the gates; PC-DARTS
            weighs what bypasses the operations with them.
    """
    gates: torch.Tensor
    chosen: list | None = None
    skip_dropout: float = 0.
    edge_weights: torch.Tensor | None = None

    def used(self, operation, edges):
        if self.chosen is None:
            return edges
        return tuple(edge for edge in edges if self.chosen[edge][COLUMN[operation]])


def mix(maps, rows):
    """``rows [T, L] @ maps``, L maps [N, C, H, W] -> T of them."""
    stacked = torch.stack([x.permute(0, 2, 3, 1) for x in maps])
    mixed = (rows @ stacked.reshape(len(maps), -1)).view(len(rows), *stacked.shape[1:])
    return [piece.permute(0, 3, 1, 2) for piece in mixed.unbind()]


def factorized_reduction(x, even, odd, edges=1):
    """Half the resolution by two strided 1x1 convolutions, the second one pixel on.

    Args:
        x (Tensor): [N, C, H, W] of any size, rectified.
        even, odd (Tensor): [edges * O, C, 1, 1] each.

    Returns:
        Tensor: [N, edges * 2 O, ceil(H / 2), ceil(W / 2)], of an edge first the even channels.
    """
    channels = x.shape[1]
    even, odd = (weight.view(edges, -1, channels) for weight in (even, odd))
    weight = torch.stack([F.pad(even, (0, channels)), F.pad(odd, (channels, 0))], 1)
    return conv2d(torch.cat(parities(x), 1), weight.view(-1, 2 * channels, 1, 1))


def channels_last(x):
    """The same in the layout in which depthwise convolutions take about half the time on CPUs."""
    return x.contiguous(memory_format=torch.channels_last)


def to_phases(x):
    """[N, C, H, W] of even size -> [4 N, C, H / 2, W / 2], the pixels of equal parity together."""
    number, channels, height, width = x.shape
    x = x.permute(0, 2, 3, 1).reshape(number, height // 2, 2, width // 2, 2, channels)
    return x.permute(2, 4, 0, 1, 3, 5).reshape(4 * number, height // 2, width // 2, channels).permute(0, 3, 1, 2)


def from_phases(x):
    """The inverse of :func:`to_phases`."""
    number, channels, height, width = x.shape
    x = x.permute(0, 2, 3, 1).reshape(2, 2, number // 4, height, width, channels)
    return x.permute(2, 3, 0, 4, 1, 5).reshape(number // 4, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


class EdgeGroup(nn.Module):
    """The mixed edges from some states of one size, at one stride.

    Its ``state_dict`` has an entry for each edge and operation,
    ``edge<index>.<operation>.<part>``, though their weights are held together.

    Args:
        states (tuple[int]): the states they leave.
        stride (int): 1 or 2.
        channels (int): C of every state.
        candidates (list[tuple[str]]): the operations of each of the 14 edges.
        norm (EdgeNorm): of ``cells``.
    """

    def __init__(self, states, stride, channels, candidates, norm):
        super().__init__()
        self.states = tuple(states)
        self.stride = stride
        self.channels = channels
        self.norm = norm
        self.edges = tuple(i for i, edge in enumerate(EDGES) if edge.predecessor in self.states)
        self.members = {
            operation: tuple(i for i in self.edges if operation in candidates[i]) for operation in OPERATIONS
        }
        for operation in CONVOLUTIONS:
            for name, depthwise in PARTS[operation]:
                shape = (1, *[kernel_size(operation)] * 2) if depthwise else (channels, 1, 1)
                self._hold(operation, name, channels, shape)
        if stride == 2:
            for name in HALVES:
                self._hold(SKIP, name, channels // 2, (channels, 1, 1))
        self._register_state_dict_hook(_split_entries)
        self.register_load_state_dict_pre_hook(_join_entries)

    def _hold(self, operation, name, rows, shape):
        if self.members[operation]:
            weight = nn.Parameter(torch.empty(len(self.members[operation]) * rows, *shape))
            nn.init.kaiming_normal_(weight, nonlinearity='relu')
            self.register_parameter(f'{operation}_{name}', weight)

    def weight(self, operation, name, edges):
        """The weights of a part of an operation on some of its edges."""
        weight = getattr(self, f'{operation}_{name}')
        members = self.members[operation]
        if edges == members:
            return weight
        rows = weight.split(len(weight) // len(members))
        return torch.cat([rows[members.index(edge)] for edge in edges])

    def forward(self, states, mixture, nodes):
        """Adds what the group's edges bring to the nodes.

        Args:
            states (list[Tensor]): [N, C, H, W], the cell's so far.
            mixture (Mixture): of the cell's kind.
            nodes (list[list[Tensor]]): a list of summands a node, [N, C, H', W'] each.
        """
        states = {state: states[state] for state in self.states}
        self._add_pools(states, mixture, nodes)
        self._add_convolutions({state: x.relu() for state, x in states.items()}, mixture, nodes)

    def _add_convolutions(self, states, mixture, nodes):
        even = all(size % 2 == 0 for size in states[self.states[0]].shape[2:])
        # what a dilated kernel sees as neighbours: pixels of one parity, at stride 2 of the even one alone
        in_phases = {state: to_phases(x) if self.stride == 1 else channels_last(parities(x)[0])
                     for state, x in states.items()} if even else None
        sums, inputs = {}, {}
        for operation in CONVOLUTIONS + ((SKIP, ) if self.stride == 2 else ()):
            edges = mixture.used(operation, self.members[operation])
            if not edges:
                continue
            phases = even and operation in DILATED
            if operation == SKIP:
                y = self._reduce(edges, states)
            else:
                if (edges, phases) not in inputs:
                    sources = in_phases if phases else states
                    inputs[edges, phases] = torch.cat([sources[EDGES[edge].predecessor] for edge in edges], 1)
                y = self._convolve(operation, edges, inputs[edges, phases], phases)
            phases = phases and self.stride == 1
            if phases and not self.norm.batch_statistics:  # an image's norm takes all its phases
                y, phases = from_phases(y), False
            gates = mixture.gates[list(edges), COLUMN[operation]].repeat_interleave(self.channels)
            maps, weights = sums.setdefault((edges, phases), ([], []))
            maps.append(y)
            weights.append(gates)
        for (edges, phases), (maps, weights) in sums.items():
            y = self.norm.weighted_sum(maps, weights, len(edges))
            y = from_phases(y) if phases else y
            for edge, piece in zip(edges, y.split(self.channels, 1), strict=True):
                nodes[EDGES[edge].node].append(piece)

    def _reduce(self, edges, states):
        """The factorised reductions of some edges, not yet normalised."""
        pieces = {}
        for state, x in states.items():
            leaving = tuple(edge for edge in edges if EDGES[edge].predecessor == state)
            if leaving:
                y = factorized_reduction(x, *(self.weight(SKIP, half, leaving) for half in HALVES), len(leaving))
                pieces.update(zip(leaving, y.split(self.channels, 1), strict=True))
        return torch.cat([pieces[edge] for edge in edges], 1)

    def _convolve(self, operation, edges, x, phases):
        """A convolution on some edges but for its last normalisation."""
        number, kernel = len(edges), kernel_size(operation)
        stride, dilation = (1, 1) if phases else (self.stride, 2 if operation in DILATED else 1)
        parts = [self.weight(operation, name, edges) for name, _ in PARTS[operation]]
        for i in range(0, len(parts), 2):
            if i:
                x, stride = self.norm(x, number).relu(), 1
            x = conv2d(x, parts[i], stride, dilation * (kernel // 2), dilation, number * self.channels)
            x = conv2d(x, parts[i + 1], groups=number)
        return x

    def _add_pools(self, states, mixture, nodes):
        """Pools and, at stride 1, the identity: one product of gates and maps."""
        maps, places = [], []  # places: (node, map, edge, operation) of each gate
        for operation in (MAX_POOL, AVG_POOL) + ((SKIP, ) if self.stride == 1 else ()):
            edges = mixture.used(operation, self.members[operation])
            for state, x in states.items():
                leaving = [edge for edge in edges if EDGES[edge].predecessor == state]
                if operation == SKIP and mixture.skip_dropout:
                    for edge in leaving:
                        nodes[EDGES[edge].node].append(
                            F.dropout(x, mixture.skip_dropout) * mixture.gates[edge, COLUMN[operation]])
                elif leaving:
                    places += [(EDGES[edge].node, len(maps), edge, COLUMN[operation]) for edge in leaving]
                    maps.append(self._pool(operation, x))
        if maps:
            node, column, edge, operation = zip(*places, strict=True)
            targets = sorted(set(node))
            rows = mixture.gates.new_zeros(len(targets), len(maps)).index_put(
                (torch.tensor([targets.index(n) for n in node]), torch.tensor(column)),
                mixture.gates[list(edge), list(operation)])
            for target, x in zip(targets, mix(maps, rows), strict=True):
                nodes[target].append(x)

    def _pool(self, operation, x):
        if operation == MAX_POOL:
            return self.norm(F.max_pool2d(x, 3, self.stride, 1), 1)
        if operation == AVG_POOL:
            return self.norm(F.avg_pool2d(x, 3, self.stride, 1, count_include_pad=False), 1)
        return x


def _entries(group):
    """(name of the joined weight, names of its entries by edge)."""
    for joined in group._parameters:
        operation = next(operation for operation in OPERATIONS if joined.startswith(f'{operation}_'))
        part = joined.removeprefix(f'{operation}_')
        yield joined, [f'edge{edge}.{operation}.{part}' for edge in group.members[operation]]


def _split_entries(group, state, prefix, local_metadata):
    for joined, names in _entries(group):
        rows = state.pop(prefix + joined).chunk(len(names))
        state.update({prefix + name: row for name, row in zip(names, rows, strict=True)})


def _join_entries(group, state, prefix, metadata, strict, missing, unexpected, errors):
    """An entry that is missing or of another shape is told of by its own name, and leaves the weight as it was."""
    for joined, names in _entries(group):
        rows = getattr(group, joined).detach().chunk(len(names))
        given = []
        for name, row in zip(names, rows, strict=True):
            value = state.pop(prefix + name, None)
            if value is None:
                missing.append(prefix + name)
            elif value.shape != row.shape:
                errors.append(f'size mismatch for {prefix}{name}: {tuple(value.shape)}, not {tuple(row.shape)}.')
            else:
                row = value.to(row)
            given.append(row)
        state[prefix + joined] = torch.cat(given)
