"""Which gates each part of a searched cell takes, worked out on the host once."""
from typing import NamedTuple

import torch

from .layout import AVG_POOL, COLUMN, DILATED, EDGES, MAX_POOL, NODES, OPERATIONS, SEPARABLE, SKIP

# the states whose edges are computed together: the two inputs of a cell, then each node by itself
GROUPS = ((0, 1), *((state, ) for state in range(2, NODES + 1)))


class Family(NamedTuple):
    """Operations of a group of edges that are one grouped convolution.

    Args:
        parts (tuple[tuple[str, tuple[int]]]): each operation, and the edges it is computed on.
        whole (bool): every operation is on all edges of the group.
    """
    parts: tuple
    whole: bool

    @property
    def operations(self):
        return [operation for operation, _ in self.parts]

    @property
    def members(self):
        """list[int]: the edge of each map that it computes, in order."""
        return [edge for _, edges in self.parts for edge in edges]


class Bundle(NamedTuple):
    """Families that are normalised, weighted and summed together.

    Args:
        families (tuple[Family]): the separable and the dilated convolutions,
            whose last 1x1 convolution is joint; or the factorised reductions.
    """
    families: tuple

    @property
    def reduces(self):
        """bool: its families are the factorised reductions."""
        return SKIP in self.families[0].operations

    @property
    def whole(self):
        return all(family.whole for family in self.families)

    @property
    def members(self):
        """list[int]: the edge of each map that it computes, in order."""
        return [edge for family in self.families for edge in family.members]


class GroupPlan(NamedTuple):
    """What a group of edges computes.

    Args:
        bundles (tuple[Bundle]): of its convolutions.
        maps (tuple[tuple[str, int]]): (operation, state) of its pools and
            identities.
        targets (tuple[int]): the nodes that they go to.
        dropped (tuple[int]): edges whose identity has dropout of its own.
        nodes (int): to which the group has edges, the last ones of the cell.
    """
    bundles: tuple
    maps: tuple
    targets: tuple
    dropped: tuple
    nodes: int


class CellPlan:
    """The plans of a cell's groups, and where their gates are in the matrix [14, 8] of its kind.

    Args:
        candidates (list[tuple[str]]): the operations of each of the 14 edges.
        stride (int): of the edges from the cell's inputs.
        chosen (list[list[bool]], optional): [14, 8], what is computed; all by default.
        drops (bool): whether identities of stride 1 have dropout.
        widens (bool): whether the 3x3 and the 5x5 operations of a kind are one
            convolution, the 3x3 kernels with a border of zeros: fewer calls
            for more arithmetic. The results are the same up to rounding.
    """

    def __init__(self, candidates, stride, chosen=None, drops=False, widens=True):
        self.candidates, self.chosen, self.drops = candidates, chosen, drops
        convolutions = SEPARABLE, DILATED
        self._families = convolutions if widens else [(operation, ) for kind in convolutions for operation in kind]
        self.convolutions, self.rows, self.bypass = [], [], []  # flat indices
        self._indices = {}
        self.groups = tuple(self._group(states, stride if len(states) == 2 else 1) for states in GROUPS)

    def _used(self, operation, edges):
        return tuple(edge for edge in edges if operation in self.candidates[edge] and (
            self.chosen is None or self.chosen[edge][COLUMN[operation]]))

    def _group(self, states, stride):
        edges = tuple(i for i, edge in enumerate(EDGES) if edge.predecessor in states)
        bundles = [[self._family(kind, edges) for kind in kinds]
                   for kinds in (self._families, ((SKIP, ), ) if stride == 2 else ())]
        bundles = [Bundle(tuple(family for family in families if family)) for families in bundles]
        drops = self.drops and stride == 1
        dropped = self._used(SKIP, edges) if drops else ()
        places = {}  # (operation, state) -> its edges
        for operation in (MAX_POOL, AVG_POOL) + ((SKIP, ) if stride == 1 and not drops else ()):
            for edge in self._used(operation, edges):
                places.setdefault((operation, EDGES[edge].predecessor), []).append(edge)
        order = [(operation, state) for operation in (MAX_POOL, AVG_POOL, SKIP) for state in states
                 if (operation, state) in places]
        targets = tuple(sorted({EDGES[edge].node for found in places.values() for edge in found}))
        for target in targets:
            for operation, state in order:
                edge = next((edge for edge in places[operation, state] if EDGES[edge].node == target), None)
                self.rows.append(self.zero if edge is None else self._flat(edge, operation))
        first = EDGES[edges[0]].node
        for node in range(first, NODES):
            self.bypass += [EDGES.index((node, state)) for state in states]
        bundles = tuple(bundle for bundle in bundles if bundle.families)
        return GroupPlan(bundles, tuple(order), targets, dropped, NODES - first)

    def _family(self, operations, edges):
        parts = tuple((operation, self._used(operation, edges)) for operation in operations)
        parts = tuple(part for part in parts if part[1])
        self.convolutions += [self._flat(edge, operation) for operation, used in parts for edge in used]
        return Family(parts, all(used == edges for _, used in parts)) if parts else None

    zero = len(EDGES) * len(OPERATIONS)  # behind the gates, where a map has no edge to a target

    @staticmethod
    def _flat(edge, operation):
        return edge * len(OPERATIONS) + COLUMN[operation]

    def indices(self, device):
        """The flat indices of the convolutions' gates, of the rows and of the bypass on a device, moved once."""
        if device not in self._indices:
            self._indices[device] = tuple(torch.tensor(places, dtype=torch.int64, device=device)
                                          for places in (self.convolutions, self.rows, self.bypass))
        return self._indices[device]


class Mixture:
    """How a kind of cell mixes its operations; what all its cells take of the gates is made once.

    Args:
        plan (CellPlan): of the kind of cell.
        gates (Tensor): [14, 8], a row per edge, a column per operation.
        skip_dropout (float): of each identity edge of stride 1, where the plan has any.
        edge_weights (Tensor, optional): [14], already in the gates; PC-DARTS
            weighs what bypasses the operations with them.
    """

    def __init__(self, plan, gates, skip_dropout=0., edge_weights=None):
        self.plan, self.gates, self.skip_dropout, self.edge_weights = plan, gates, skip_dropout, edge_weights
        convolutions, rows, bypass = plan.indices(gates.device)
        flat = gates.reshape(-1)
        self.convolutions = flat[convolutions]
        self.rows = torch.cat([flat, flat.new_zeros(1)])[rows]
        self.bypass = None if edge_weights is None else edge_weights[bypass]
        self._by_channel = {}

    def tensors(self, channels):
        """What a cell of so many channels takes: the arguments of :meth:`of`."""
        if channels not in self._by_channel:
            self._by_channel[channels] = self.convolutions[:, None].expand(-1, channels).reshape(-1)
        found = [self._by_channel[channels], self.rows]
        if self.bypass is not None:
            found.append(self.bypass)
        if self.skip_dropout:
            found.append(self.gates)
        return found

    def of(self, channels, kernels, convolutions, rows, *others):
        """list[GroupWeights]: of a cell's groups.

        Args:
            channels (int): C of the cell.
            kernels (list[list[list[Tensor]]]): of its convolutions, by group and bundle.
            convolutions, rows, others (Tensor): from :meth:`tensors`.
        """
        others = list(others)
        bypass = None if self.bypass is None else others.pop(0)
        gates = others.pop(0) if self.skip_dropout else None
        groups = self.plan.groups
        sizes = [channels * len(bundle.members) for plan in groups for bundle in plan.bundles]
        pieces = iter(convolutions.split(sizes))  # not slices, each of which would pad its gradient with zeros
        rows = rows.split([len(plan.targets) * len(plan.maps) for plan in groups])
        rows = [part.view(len(plan.targets), -1) if plan.targets else None
                for plan, part in zip(groups, rows, strict=True)]
        bypasses = [None] * len(groups)
        if bypass is not None:
            parts = bypass.split([plan.nodes * len(states) for plan, states in zip(groups, GROUPS, strict=True)])
            bypasses = [part.view(plan.nodes, -1) for plan, part in zip(groups, parts, strict=True)]
        return [GroupWeights(plan, [next(pieces) for _ in plan.bundles], kernels[i], rows[i], bypasses[i], gates,
                             self.skip_dropout) for i, plan in enumerate(groups)]


class GroupWeights(NamedTuple):
    """The gates and kernels of a group of edges.

    Args:
        plan (GroupPlan): of the group.
        bundles (list[Tensor]): the gates of each, [members * C], by channel.
        kernels (list[list[Tensor]]): of each, as :func:`side_by_side` joins those of ``EdgeGroup.kernels``.
        rows (Tensor, optional): [targets, maps]
        bypass (Tensor, optional): [nodes, states]
        gates (Tensor, optional): [14, 8], where identities have dropout.
        skip_dropout (float): of each of them.
    """
    plan: GroupPlan
    bundles: list
    kernels: list
    rows: torch.Tensor | None
    bypass: torch.Tensor | None
    gates: torch.Tensor | None
    skip_dropout: float

    def identity(self, edge):
        return self.gates[edge, COLUMN[SKIP]]
