"""The edges of a searched cell, computed together.

A mixed edge is ``sum_o gate_o o(x)`` (Liu et al., 2019, DARTS, Eq. 2). Edges that
leave the same state share its ReLU and its pools. Their convolutions of a family
(separable or dilated, or a single operation of these, see ``CellPlan``) are a
single grouped convolution over (operations x edges x channels), with all kernels
as wide as the widest. All families share a grouped 1x1 convolution at the end.
Normalisation has no affine parameters, so a single call normalises all channels.
Pools and identities reach the nodes by a single matrix product. A dilated
convolution of an even map is an ordinary convolution of its four phases. The sums
equal those of separate edges; only their order differs.
"""
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...layers.activation import relu
from ...layers.convolution import conv2d
from ...layers.edge_sums import edge_sums
from ...layers.joining import join, stack
from ...layers.parities import joined_parities, parities
from ...layers.pooling import avg_pool, max_pool, pools
from ..edge_norm import EdgeNorm
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
from .plan import Bundle, Candidates, Family, GroupPlan, GroupWeights

# operation -> its weights: (name, whether depthwise)
WEIGHTS_OF = {
    **{operation: (('depthwise1', True), ('pointwise1', False), ('depthwise2', True), ('pointwise2', False))
       for operation in SEPARABLE},
    **{operation: (('depthwise', True), ('pointwise', False)) for operation in DILATED},
}
HALVES = ('even', 'odd')  # the two convolutions of a factorised reduction


def mix(maps: Sequence[Tensor], rows: Tensor) -> Tensor:
    """``rows [T, L] @ maps``, L maps [N, C, H, W] -> [T, N, H, W, C]."""
    stacked = stack([x.permute(0, 2, 3, 1) for x in maps])
    return (rows @ stacked.reshape(len(maps), -1)).view(len(rows), *stacked.shape[1:])


class NodeSums:
    """The partial sums of the nodes of a cell that are not computed yet.

    A group of edges with all its operations adds a single tensor for all these
    nodes. Other groups add a tensor per edge.
    """

    def __init__(self) -> None:
        self.total: Tensor | None = None  # [nodes, N, H, W, C]
        self.pieces: list[list[Tensor]] = [[] for _ in range(NODES)]
        self.first = 0  # the next node

    def add_maps(self, targets: Sequence[int], x: Tensor) -> None:
        """Adds x [T, N, H, W, C], a map per target node."""
        if len(targets) == NODES - self.first:
            self.total = x if self.total is None else self.total + x
        else:
            for target, piece in zip(targets, x.unbind(), strict=True):
                self.add(target, piece.permute(0, 3, 1, 2))

    def add(self, node: int, piece: Tensor) -> None:
        """Adds a piece [N, C, H, W] to the sum of a node."""
        self.pieces[node].append(piece)

    def take(self) -> Tensor | None:
        """The sum of the next node, [N, C, H, W]; ``None`` if no edge leads to it."""
        parts, left = self.pieces[self.first], NODES - self.first - 1
        if self.total is not None:
            of_node, self.total = self.total.split([1, left]) if left else (self.total, None)
            parts.append(of_node.squeeze(0).permute(0, 3, 1, 2))  # not an index, whose gradient is padded with zeros
        self.first += 1
        return sum(parts[1:], parts[0]) if parts else None


def factorized_reduction(x: Tensor, even: Tensor, odd: Tensor, edges: int = 1) -> Tensor:
    """Halves the resolution by two 1x1 convolutions of stride 2; the second starts at the pixel (1, 1).

    Args:
        x (Tensor): [N, C, H, W] of any size, rectified.
        even, odd (Tensor): [edges * O, C, 1, 1] each.
        edges (int): the number of edges.

    Returns:
        Tensor: [N, edges * 2 O, ceil(H / 2), ceil(W / 2)]; the even channels of an edge stand before its odd channels.
    """
    y = conv2d(joined_parities(x), join([even, odd]), groups=2)
    if edges == 1:
        return y
    y = y.permute(0, 2, 3, 1).unflatten(3, (2, edges, -1)).transpose(3, 4)
    return y.flatten(3).permute(0, 3, 1, 2)


def channels_last(x: Tensor) -> Tensor:
    """The tensor in channels-last layout, in which depthwise convolutions take about half the time on CPUs."""
    return x.contiguous(memory_format=torch.channels_last)


def to_phases(x: Tensor, copies: int = 1) -> Tensor:
    """[N, C, H, W] of even size -> [4 N, copies * C, H / 2, W / 2]: a map for the pixels of each parity."""
    number, channels, height, width = x.shape
    x = x.permute(0, 2, 3, 1).reshape(number, height // 2, 2, width // 2, 2, 1, channels)
    x = x.permute(2, 4, 0, 1, 3, 5, 6).expand(-1, -1, -1, -1, -1, copies, -1)
    return x.reshape(4 * number, height // 2, width // 2, copies * channels).permute(0, 3, 1, 2)


def from_phases(x: Tensor) -> Tensor:
    """The inverse of :func:`to_phases`."""
    number, channels, height, width = x.shape
    x = x.permute(0, 2, 3, 1).reshape(2, 2, number // 4, height, width, channels)
    return x.permute(2, 3, 0, 4, 1, 5).reshape(number // 4, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


def repeated(x: Tensor, copies: int) -> Tensor:
    """[N, C, H, W] -> [N, copies * C, H, W]: copies of the channels side by side."""
    number, channels, height, width = x.shape
    x = x.permute(0, 2, 3, 1)[:, :, :, None].expand(-1, -1, -1, copies, -1)
    return x.reshape(number, height, width, copies * channels).permute(0, 3, 1, 2)


class EdgeGroup(nn.Module):
    """The mixed edges from some states of the same size, at the same stride.

    Its ``state_dict`` has an entry for each edge and operation,
    ``edge<index>.<operation>.<part>``, although a parameter holds the weights
    of several edges.

    Args:
        states (tuple[int]): the edges leave these states.
        stride (int): 1 or 2.
        channels (int): C of every state.
        candidates (list[tuple[str]]): the operations of each of the 14 edges.
        norm (EdgeNorm): the norm of the supernet.
    """

    def __init__(self, states: Sequence[int], stride: int, channels: int, candidates: Candidates,
                 norm: EdgeNorm) -> None:
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
            for name, depthwise in WEIGHTS_OF[operation]:
                shape = (1, *[kernel_size(operation)] * 2) if depthwise else (channels, 1, 1)
                self._hold(operation, name, channels, shape)
        if stride == 2:
            for name in HALVES:
                self._hold(SKIP, name, channels // 2, (channels, 1, 1))
        self.register_state_dict_post_hook(_split_entries)
        self.register_load_state_dict_pre_hook(_join_entries)

    def _hold(self, operation: str, name: str, rows: int, shape: tuple[int, ...]) -> None:
        if self.members[operation]:
            weight = nn.Parameter(torch.empty(len(self.members[operation]) * rows, *shape))
            nn.init.kaiming_normal_(weight, nonlinearity='relu')
            self.register_parameter(f'{operation}_{name}', weight)

    def kernels(self, plan: GroupPlan) -> list[list[list[Tensor]]]:
        """The parameters of each convolution, for :func:`side_by_side`.

        Args:
            plan (GroupPlan): the plan of the group.

        Returns:
            list[list[list[Tensor]]]: a list of slots per bundle. Factorised
            reductions have two slots per state, for the two halves. Other
            bundles have a slot for each part of each family but the last part,
            and a slot for the last parts of all families.
        """
        kernels = []
        for bundle in plan.bundles:
            edges = bundle.members
            if bundle.reduces:
                halves = [dict(zip(edges, self._rows(SKIP, half, edges, True), strict=True)) for half in HALVES]
                kernels.append(
                    [[half[edge] for edge in leaving] for leaving in self._leaving(edges) for half in halves])
                continue
            slots: list[list[Tensor]] = []
            last: list[Tensor] = []
            for family in bundle.families:
                parts = [[row for operation, edges in family.parts for row in self._rows(operation, name, edges)]
                         for name, _ in WEIGHTS_OF[family.operations[0]]]
                slots += parts[:-1]
                last += parts[-1]
            kernels.append([*slots, last])
        return kernels

    def _rows(self, operation: str, name: str, edges: Sequence[int], apart: bool = False) -> list[Tensor]:
        """The weights of a part of an operation on some edges: a tensor per edge.

        For all edges of the operation it is a single tensor, unless ``apart``.
        """
        weight = getattr(self, f'{operation}_{name}')
        members = self.members[operation]
        if tuple(edges) == members and not apart:
            return [weight]
        rows = weight.split(len(weight) // len(members))
        return [rows[members.index(edge)] for edge in edges]

    def _leaving(self, edges: Sequence[int]) -> list[tuple[int, ...]]:
        """The edges grouped by the state that they leave, without empty groups."""
        by_state = (tuple(edge for edge in edges if EDGES[edge].predecessor == state) for state in self.states)
        return [leaving for leaving in by_state if leaving]

    def forward(self, states: Sequence[Tensor], weights: GroupWeights, sums: NodeSums,
                joined: Tensor | None = None) -> None:
        """Adds the outputs of the group's edges to the nodes.

        Args:
            states (list[Tensor]): [N, C, H, W], the states of the cell so far.
            weights (GroupWeights): the weights of the group.
            sums (NodeSums): the sums of the cell.
            joined (Tensor, optional): the states of the group side by side, if they exist in this form.
        """
        leaving = _States({state: states[state] for state in self.states}, joined)
        self._add_maps(leaving, weights, sums)
        if weights.plan.bundles:
            self._add_convolutions(leaving.rectified(), weights, sums)

    def _add_convolutions(self, states: '_States', weights: GroupWeights, sums: NodeSums) -> None:
        for bundle, gates, kernels in zip(weights.plan.bundles, weights.bundles, weights.kernels, strict=True):
            if bundle.reduces:
                y = self._reduce(bundle.members, states, kernels)
            else:
                y = self._convolve(bundle, states, kernels)
            y = self.norm.weighted(y, gates, len(bundle.members))
            if bundle.whole:
                self._add_whole(y, sums)
            else:
                for edge, piece in zip(bundle.members, y.split(self.channels, 1), strict=True):
                    sums.add(EDGES[edge].node, piece)

    def _convolve(self, bundle: Bundle, states: '_States', kernels: Sequence[Tensor]) -> Tensor:
        """The separable and the dilated convolutions before their norm: [N, members * C, H, W]."""
        even = all(size % 2 == 0 for size in states.joined.shape[2:])
        *others, last = kernels
        kernel = iter(others)
        maps: list[Tensor] = []
        inputs: dict[tuple[bool, tuple[int, ...]], Tensor] = {}
        for family in bundle.families:
            number, dilated = len(family.members), family.operations[0] in DILATED
            phases = dilated and even
            key = phases, tuple(family.members)
            if key not in inputs:  # families of a single operation may share their inputs
                inputs[key] = self._inputs(family, states, phases)
            x = inputs[key]
            if dilated:
                x = self._depthwise(x, next(kernel), *((1, 1) if phases else (self.stride, 2)))
                x = from_phases(x) if phases and self.stride == 1 else x
            else:
                x = conv2d(self._depthwise(x, next(kernel), self.stride), next(kernel), groups=number)
                x = self._depthwise(relu(self.norm(x, number)), next(kernel))
            maps.append(x)
        return conv2d(join(maps, 1), last, groups=len(bundle.members))

    def _depthwise(self, x: Tensor, kernel: Tensor, stride: int = 1, dilation: int = 1) -> Tensor:
        return conv2d(x, kernel, stride, dilation * (kernel.shape[-1] // 2), dilation, x.shape[1])

    def _inputs(self, family: Family, states: '_States', phases: bool) -> Tensor:
        """The inputs of a family's convolutions, [N, members * C, H, W]; with ``phases``, split for dilated kernels.

        A dilated kernel reads pixels of the same parity, at stride 2 only those of even rows and columns.
        """
        if family.whole:  # edges are in the order of their nodes; the edges into a node stand side by side
            x, copies = states.joined, len(family.members) // len(self.states)
        else:
            x, copies = join([states[EDGES[edge].predecessor] for edge in family.members], 1), 1
        if phases and self.stride == 1:
            return to_phases(x, copies)
        return repeated(parities(x)[0] if phases else x, copies)

    def _add_whole(self, y: Tensor, sums: NodeSums) -> None:
        """Adds y [N, operations * edges * C, H, W] of all edges of the group to their nodes."""
        operations = y.shape[1] // (len(self.edges) * self.channels)
        y = edge_sums(y.permute(0, 2, 3, 1), operations, len(self.states), self.channels)
        sums.add_maps(range(NODES - y.shape[3], NODES), y.permute(3, 0, 1, 2, 4))

    def _reduce(self, edges: Sequence[int], states: '_States', kernels: Sequence[Tensor]) -> Tensor:
        """The factorised reductions of some edges before their norm."""
        pieces: dict[int, Tensor] = {}
        for leaving, even, odd in zip(self._leaving(edges), kernels[::2], kernels[1::2], strict=True):
            y = factorized_reduction(states[EDGES[leaving[0]].predecessor], even, odd, len(leaving))
            pieces.update(zip(leaving, y.split(self.channels, 1), strict=True))
        return join([pieces[edge] for edge in edges], 1)

    def _add_maps(self, states: '_States', weights: GroupWeights, sums: NodeSums) -> None:
        """Adds pools and, at stride 1, identities by a single product of gates and maps."""
        for edge in weights.plan.dropped:
            node, state = EDGES[edge]
            sums.add(node, F.dropout(states[state], weights.skip_dropout) * weights.identity(edge))
        if weights.rows is None:
            return
        maps = []
        pooled = self._pooled(weights.plan.maps, states)
        if pooled is not None:
            maps += self.norm(pooled, pooled.shape[1] // self.channels).split(self.channels, 1)
        maps += [states[state] for operation, state in weights.plan.maps if operation == SKIP]
        sums.add_maps(weights.plan.targets, mix(maps, weights.rows))

    def _pooled(self, maps: Sequence[tuple[str, int]], states: '_States') -> Tensor | None:
        """The pools of some states side by side, before their norm; ``None`` without pools."""
        of_max, of_avg = (tuple(state for name, state in maps if name == pool) for pool in (MAX_POOL, AVG_POOL))
        if of_max and of_max == of_avg:
            return pools(states.some(of_max), self.stride)
        parts = [pool(states.some(pooled), self.stride) for pool, pooled in ((max_pool, of_max), (avg_pool, of_avg))
                 if pooled]
        return join(parts, 1) if parts else None


class _States:
    """The states that a group of edges leaves, by number and side by side.

    Args:
        maps (dict[int, Tensor]): [N, C, H, W] each.
        joined (Tensor, optional): [N, states * C, H, W], the states side by
            side.
    """

    def __init__(self, maps: Mapping[int, Tensor], joined: Tensor | None = None) -> None:
        self.maps = maps
        self._joined = joined

    @property
    def joined(self) -> Tensor:
        if self._joined is None:
            self._joined = join(list(self.maps.values()), 1)
        return self._joined

    def __getitem__(self, state: int) -> Tensor:
        return self.maps[state]

    def some(self, states: tuple[int, ...]) -> Tensor:
        """Some states side by side, [N, len(states) * C, H, W]."""
        return self.joined if states == tuple(self.maps) else join([self.maps[state] for state in states], 1)

    def rectified(self) -> '_States':
        x = relu(self.joined)
        return _States(dict(zip(self.maps, x.chunk(len(self.maps), 1), strict=True)), x)


def _entries(group: EdgeGroup) -> Iterator[tuple[str, list[str]]]:
    """(name of a parameter, names of its entries by edge)."""
    for joined in group._parameters:
        operation = next(operation for operation in OPERATIONS if joined.startswith(f'{operation}_'))
        part = joined.removeprefix(f'{operation}_')
        yield joined, [f'edge{edge}.{operation}.{part}' for edge in group.members[operation]]


def _split_entries(group: EdgeGroup, state: dict[str, Any], prefix: str, local_metadata: dict[str, Any]) -> None:
    for joined, names in _entries(group):
        rows = state.pop(prefix + joined).chunk(len(names))
        state.update({prefix + name: row for name, row in zip(names, rows, strict=True)})


def _join_entries(group: EdgeGroup, state: dict[str, Any], prefix: str, metadata: dict[str, Any], strict: bool,
                  missing: list[str], unexpected: list[str], errors: list[str]) -> None:
    """Joins the entries of each parameter; errors about an entry name it, and its weights stay as they are."""
    for joined, names in _entries(group):
        rows = getattr(group, joined).detach().chunk(len(names))
        loaded = []
        for name, row in zip(names, rows, strict=True):
            value = state.pop(prefix + name, None)
            if value is None:
                missing.append(prefix + name)
            elif value.shape != row.shape:
                errors.append(f'size mismatch for {prefix}{name}: {tuple(value.shape)}, not {tuple(row.shape)}.')
            else:
                row = value.to(row)
            loaded.append(row)
        state[prefix + joined] = torch.cat(loaded)
