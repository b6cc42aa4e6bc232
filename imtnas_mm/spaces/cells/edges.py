"""The edges of a searched cell, computed together.

A mixed edge is ``sum_o gate_o o(x)`` (Liu et al., 2019, DARTS, Eq. 2). Edges that
leave one state share its ReLU and its pools; their convolutions are one grouped
convolution a kernel, over (edges x channels). Normalisation has no affine
parameters, so it's by channel and one call too. Pools and the identity enter
the nodes as one matrix product, and a dilated convolution of an even map is an
ordinary one of its four phases. The sums are those of edges computed one by
one; only their order differs.
"""
import torch
import torch.nn.functional as F
from torch import nn

from ...layers.convolution import conv2d
from .blocks import parities
from .layout import (
    AVG_POOL,
    CONVOLUTIONS,
    DILATED,
    EDGES,
    MAX_POOL,
    NODES,
    OPERATIONS,
    SEPARABLE,
    SKIP,
    kernel_size,
)

# operation -> its weights: (name, whether depthwise)
PARTS = {
    **{operation: (('depthwise1', True), ('pointwise1', False), ('depthwise2', True), ('pointwise2', False))
       for operation in SEPARABLE},
    **{operation: (('depthwise', True), ('pointwise', False)) for operation in DILATED},
}
HALVES = ('even', 'odd')  # the two convolutions of a factorised reduction


def mix(maps, rows):
    """``rows [T, L] @ maps``, L maps [N, C, H, W] -> [T, N, H, W, C]."""
    stacked = torch.stack([x.permute(0, 2, 3, 1) for x in maps]) if len(maps) > 1 else maps[0].permute(0, 2, 3, 1)[None]
    return (rows @ stacked.reshape(len(maps), -1)).view(len(rows), *stacked.shape[1:])


class NodeSums:
    """What the edges have brought so far to the nodes of a cell that are still to come.

    Groups of edges whose operations are all computed bring something to every
    node to come, in one tensor; others bring piece by piece.
    """

    def __init__(self):
        self.mixed = self.convolved = None  # [nodes, N, H, W, C] and [N, H, W, nodes, C]
        self.pieces = [[] for _ in range(NODES)]
        self.first = 0  # the next node

    def add_mixed(self, targets, x):
        """x [T, N, H, W, C], one map per target."""
        if len(targets) == NODES - self.first:
            self.mixed = x if self.mixed is None else self.mixed + x
        else:
            for target, piece in zip(targets, x.unbind(), strict=True):
                self.add(target, piece.permute(0, 3, 1, 2))

    def add_convolved(self, x):
        """x [N, H, W, nodes, C], for all nodes to come."""
        self.convolved = x if self.convolved is None else self.convolved + x

    def add(self, node, piece):
        """piece [N, C, H, W]"""
        self.pieces[node].append(piece)

    def take(self):
        """The sum of the next node, [N, C, H, W]; ``None`` where nothing came."""
        parts, left = self.pieces[self.first], NODES - self.first - 1
        if self.mixed is not None:
            found, self.mixed = self.mixed.split([1, left]) if left else (self.mixed, None)
            parts.append(found.squeeze(0).permute(0, 3, 1, 2))  # not an index, whose gradient is padded with zeros
        if self.convolved is not None:
            found, self.convolved = self.convolved.split([1, left], 3) if left else (self.convolved, None)
            parts.append(found.squeeze(3).permute(0, 3, 1, 2))
        self.first += 1
        return sum(parts[1:], parts[0]) if parts else None


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
        return torch.cat([rows[members.index(edge)] for edge in edges]) if len(edges) > 1 else rows[
            members.index(edges[0])]

    def forward(self, states, weights, sums):
        """Adds what the group's edges bring to the nodes.

        Args:
            states (list[Tensor]): [N, C, H, W], the cell's so far.
            weights (GroupWeights): of the group.
            sums (NodeSums): of the cell.
        """
        states = {state: states[state] for state in self.states}
        self._add_maps(states, weights, sums)
        if weights.plan.families:
            self._add_convolutions({state: x.relu() for state, x in states.items()}, weights, sums)

    def _add_convolutions(self, states, weights, sums):
        even = all(size % 2 == 0 for size in states[self.states[0]].shape[2:])
        inputs = _Inputs(states, even, self.stride)
        for family, gates in zip(weights.plan.families, weights.families, strict=True):
            operation = family.parts[0][0]
            phases = even and operation in DILATED
            if operation == SKIP:
                maps = [self._reduce(edges, states) for _, edges in family.parts]
            else:
                maps = [self._convolve(name, edges, inputs.of(edges, phases), phases) for name, edges in family.parts]
            phases = phases and self.stride == 1
            if phases and not self.norm.batch_statistics:  # an image's norm takes all its phases
                maps, phases = [from_phases(y) for y in maps], False
            gates = gates.split([len(edges) * self.channels for _, edges in family.parts])
            if family.whole:
                self._add_whole(self.norm.weighted_sum(maps, gates, len(self.edges)), phases, sums)
            else:
                self._add_pieces(family, maps, gates, phases, sums)

    def _add_whole(self, y, phases, sums):
        """y [N, edges * C, H, W] of all edges of the group, each to its node."""
        number, _, height, width = y.shape
        if len(self.states) > 1:  # edges are in the order of their nodes, those of one node side by side
            y = y.permute(0, 2, 3, 1).reshape(number, height, width, -1, len(self.states), self.channels).sum(4)
            y = y.flatten(3).permute(0, 3, 1, 2)
        y = (from_phases(y) if phases else y).permute(0, 2, 3, 1)
        sums.add_convolved(y.unflatten(3, (-1, self.channels)))

    def _add_pieces(self, family, maps, gates, phases, sums):
        together = {}  # edges -> their maps and gates
        for (_, edges), y, weight in zip(family.parts, maps, gates, strict=True):
            parts = together.setdefault(edges, ([], []))
            parts[0].append(y)
            parts[1].append(weight)
        for edges, (maps, weights) in together.items():
            y = self.norm.weighted_sum(maps, weights, len(edges))
            y = from_phases(y) if phases else y
            for edge, piece in zip(edges, y.split(self.channels, 1), strict=True):
                sums.add(EDGES[edge].node, piece)

    def _reduce(self, edges, states):
        """The factorised reductions of some edges, not yet normalised."""
        pieces = {}
        for state, x in states.items():
            leaving = tuple(edge for edge in edges if EDGES[edge].predecessor == state)
            if leaving:
                y = factorized_reduction(x, *(self.weight(SKIP, half, leaving) for half in HALVES), len(leaving))
                pieces.update(zip(leaving, y.split(self.channels, 1), strict=True))
        return _joined([pieces[edge] for edge in edges])

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

    def _add_maps(self, states, weights, sums):
        """Pools and, at stride 1, the identity: one product of gates and maps."""
        for edge in weights.plan.dropped:
            node, state = EDGES[edge]
            sums.add(node, F.dropout(states[state], weights.skip_dropout) * weights.identity(edge))
        if not weights.plan.maps:
            return
        maps, joined = [], {}
        for operation in (MAX_POOL, AVG_POOL):
            pooled = tuple(state for name, state in weights.plan.maps if name == operation)
            if pooled:
                if pooled not in joined:
                    joined[pooled] = _joined([states[state] for state in pooled])
                y = self._pool(operation, joined[pooled], len(pooled))
                maps += y.split(self.channels, 1) if len(pooled) > 1 else [y]
        maps += [states[state] for operation, state in weights.plan.maps if operation == SKIP]
        sums.add_mixed(weights.plan.targets, mix(maps, weights.rows))

    def _pool(self, operation, x, states):
        if operation == MAX_POOL:
            return self.norm(F.max_pool2d(x, 3, self.stride, 1), states)
        return self.norm(F.avg_pool2d(x, 3, self.stride, 1, count_include_pad=False), states)


class _Inputs:
    """What the convolutions of a group see: the rectified states, side by side for some of its edges."""

    def __init__(self, states, even, stride):
        self.states, self.even, self.stride = states, even, stride
        self.phased, self.made = None, {}

    def of(self, edges, phases):
        """[N, edges * C, H, W]; with ``phases`` as a dilated kernel sees it.

        Its neighbours are the pixels of one parity, at stride 2 those of the even one alone.
        """
        if (edges, phases) not in self.made:
            sources = self._in_phases() if phases else self.states
            self.made[edges, phases] = _joined([sources[EDGES[edge].predecessor] for edge in edges])
        return self.made[edges, phases]

    def _in_phases(self):
        if self.phased is None:
            self.phased = {state: to_phases(x) if self.stride == 1 else channels_last(parities(x)[0])
                           for state, x in self.states.items()}
        return self.phased


def _joined(maps):
    return torch.cat(maps, 1) if len(maps) > 1 else maps[0]


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
