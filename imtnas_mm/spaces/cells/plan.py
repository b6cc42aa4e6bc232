"""Plans which operations of a searched cell are computed together, and which gates they take."""
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...transport import to_device
from .layout import AVG_POOL, COLUMN, DILATED, EDGES, MAX_POOL, NODES, OPERATIONS, SEPARABLE, SKIP, Edge

Candidates = Sequence[Sequence[str]]  # the operations of each of the 14 edges

# the states whose edges are computed together: the two inputs of a cell, then each node alone
GROUPS: tuple[tuple[int, ...], ...] = ((0, 1), *((state, ) for state in range(2, NODES + 1)))


class Family(NamedTuple):
    """Operations of a group of edges that a single grouped convolution computes.

    Args:
        parts (tuple[tuple[str, tuple[int]]]): each operation and its edges.
        whole (bool): every operation is on all edges of the group.
    """
    parts: tuple[tuple[str, tuple[int, ...]], ...]
    whole: bool

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.parts]

    @property
    def members(self) -> list[int]:
        """The edge of each map that the family computes, in order."""
        return [edge for _, edges in self.parts for edge in edges]


class Bundle(NamedTuple):
    """Families that are normalised, weighted and summed together.

    Args:
        families (tuple[Family]): the separable and the dilated convolutions,
            which share their last 1x1 convolution; or the factorised
            reductions.
    """
    families: tuple[Family, ...]

    @property
    def reduces(self) -> bool:
        """Whether its families are the factorised reductions."""
        return SKIP in self.families[0].operations

    @property
    def whole(self) -> bool:
        """Whether every operation is on all edges of the group."""
        return all(family.whole for family in self.families)

    @property
    def members(self) -> list[int]:
        """The edge of each map that the bundle computes, in order."""
        return [edge for family in self.families for edge in family.members]


class GroupPlan(NamedTuple):
    """The operations of a group of edges.

    Args:
        bundles (tuple[Bundle]): its convolutions.
        maps (tuple[tuple[str, int]]): (operation, state) of its pools and
            identities.
        targets (tuple[int]): the nodes that take these maps.
        dropped (tuple[int]): edges whose identity has dropout, each its mask.
        nodes (int): how many nodes the group's edges lead to; these are the last nodes of the cell.
    """
    bundles: tuple[Bundle, ...]
    maps: tuple[tuple[str, int], ...]
    targets: tuple[int, ...]
    dropped: tuple[int, ...]
    nodes: int


class CellPlan:
    """The plans of a cell's groups, and the places of their gates in the matrix [14, 8] of its kind.

    Args:
        candidates (list[tuple[str]]): the operations of each of the 14 edges.
        stride (int): the stride of the edges from the cell's inputs.
        chosen (list[list[bool]], optional): [14, 8], the operations that are
            computed; all by default.
        drops (bool): whether identities of stride 1 have dropout.
        widens (bool): whether a single convolution computes the 3x3 and the 5x5
            operations of a kind. The 3x3 kernels then have a border of zeros:
            fewer calls for more arithmetic. The results are equal up to
            rounding.
    """

    def __init__(self, candidates: Candidates, stride: int, chosen: list[list[bool]] | None = None,
                 drops: bool = False, widens: bool = True) -> None:
        self.candidates, self.chosen, self.drops = candidates, chosen, drops
        convolutions: tuple[tuple[str, ...], ...] = SEPARABLE, DILATED
        self._families = convolutions if widens else tuple(
            (operation, ) for kind in convolutions for operation in kind)
        self.convolutions: list[int] = []  # flat indices of gates, as the next
        self.rows: list[int] = []
        self.bypass: list[int] = []  # edges
        self._indices: dict[tuple[torch.device, bool], Tensor] = {}
        self.groups = tuple(self._group(states, stride if len(states) == 2 else 1) for states in GROUPS)

    def _used(self, operation: str, edges: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(edge for edge in edges if operation in self.candidates[edge] and (
            self.chosen is None or self.chosen[edge][COLUMN[operation]]))

    def _group(self, states: tuple[int, ...], stride: int) -> GroupPlan:
        edges = tuple(i for i, edge in enumerate(EDGES) if edge.predecessor in states)
        families = [[self._family(kind, edges) for kind in kinds]
                    for kinds in (self._families, ((SKIP, ), ) if stride == 2 else ())]
        bundles = [Bundle(tuple(family for family in bundle if family)) for bundle in families]
        drops = self.drops and stride == 1
        dropped = self._used(SKIP, edges) if drops else ()
        places: dict[tuple[str, int], list[int]] = {}  # (operation, state) -> its edges
        for operation in (MAX_POOL, AVG_POOL) + ((SKIP, ) if stride == 1 and not drops else ()):
            for edge in self._used(operation, edges):
                places.setdefault((operation, EDGES[edge].predecessor), []).append(edge)
        order = [(operation, state) for operation in (MAX_POOL, AVG_POOL, SKIP) for state in states
                 if (operation, state) in places]
        targets = tuple(sorted({EDGES[edge].node for used in places.values() for edge in used}))
        for target in targets:
            for operation, state in order:
                edge = next((edge for edge in places[operation, state] if EDGES[edge].node == target), None)
                self.rows.append(self.zero if edge is None else self._flat(edge, operation))
        first = EDGES[edges[0]].node
        for node in range(first, NODES):
            self.bypass += [EDGES.index(Edge(node, state)) for state in states]
        used_bundles = tuple(bundle for bundle in bundles if bundle.families)
        return GroupPlan(used_bundles, tuple(order), targets, dropped, NODES - first)

    def _family(self, operations: tuple[str, ...], edges: tuple[int, ...]) -> Family | None:
        parts = tuple((operation, self._used(operation, edges)) for operation in operations)
        parts = tuple(part for part in parts if part[1])
        self.convolutions += [self._flat(edge, operation) for operation, used in parts for edge in used]
        return Family(parts, all(used == edges for _, used in parts)) if parts else None

    zero = len(EDGES) * len(OPERATIONS)  # the index after the gates: a map without an edge to a target has weight 0

    @staticmethod
    def _flat(edge: int, operation: str) -> int:
        return edge * len(OPERATIONS) + COLUMN[operation]

    def gather(self, gates: Tensor, edge_weights: Tensor | None) -> tuple[Tensor, ...]:
        """The gates of the convolutions and of the rows, and the edge weights of the bypass if there are any: 1-D.

        One operation gathers all of them; their places are moved to a device once.
        """
        weighs = edge_weights is not None
        sizes = [len(self.convolutions), len(self.rows), *([len(self.bypass)] if weighs else [])]
        key = gates.device, weighs
        if key not in self._indices:
            places = self.convolutions + self.rows + ([self.zero + 1 + edge for edge in self.bypass] if weighs else [])
            self._indices[key], = to_device([torch.tensor(places, dtype=torch.int64)], gates.device)
        values = torch.cat([gates.reshape(-1), gates.new_zeros(1), *([edge_weights] if weighs else [])])
        return values[self._indices[key]].split(sizes)


class Mixture:
    """The gates of a kind of cell, gathered once for all its cells.

    Args:
        plan (CellPlan): the plan of the kind of cell.
        gates (Tensor): [14, 8], one row per edge, one column per operation.
        skip_dropout (float): the dropout of each identity of stride 1 that the
            plan drops.
        edge_weights (Tensor, optional): [14], already in the gates. PC-DARTS
            weighs the channels that bypass the operations with them.
    """

    def __init__(self, plan: CellPlan, gates: Tensor, skip_dropout: float = 0.,
                 edge_weights: Tensor | None = None) -> None:
        self.plan, self.gates, self.skip_dropout, self.edge_weights = plan, gates, skip_dropout, edge_weights
        self.convolutions, self.rows, *bypass = plan.gather(gates, edge_weights)
        self.bypass = bypass[0] if bypass else None
        self._by_channel: dict[int, Tensor] = {}

    def tensors(self, channels: int) -> list[Tensor]:
        """The tensors that a cell of so many channels takes, the last arguments of :meth:`of`."""
        if channels not in self._by_channel:
            self._by_channel[channels] = self.convolutions[:, None].expand(-1, channels).reshape(-1)
        tensors = [self._by_channel[channels], self.rows]
        if self.bypass is not None:
            tensors.append(self.bypass)
        if self.skip_dropout:
            tensors.append(self.gates)
        return tensors

    def of(self, channels: int, kernels: list[list[list[Tensor]]], convolutions: Tensor, rows: Tensor, *others: Tensor
           ) -> list['GroupWeights']:
        """The weights of a cell's groups.

        Args:
            channels (int): C of the cell.
            kernels (list[list[list[Tensor]]]): the kernels of its convolutions, by group and bundle.
            convolutions, rows, others (Tensor): the tensors of :meth:`tensors`.
        """
        rest = list(others)
        bypass = None if self.bypass is None else rest.pop(0)
        gates = rest.pop(0) if self.skip_dropout else None
        groups = self.plan.groups
        sizes = [channels * len(bundle.members) for plan in groups for bundle in plan.bundles]
        pieces = iter(convolutions.split(sizes))  # not slices, each of which would pad its gradient with zeros
        of_groups = rows.split([len(plan.targets) * len(plan.maps) for plan in groups])
        by_target = [part.view(len(plan.targets), -1) if plan.targets else None
                     for plan, part in zip(groups, of_groups, strict=True)]
        bypasses: list[Tensor | None] = [None] * len(groups)
        if bypass is not None:
            parts = bypass.split([plan.nodes * len(states) for plan, states in zip(groups, GROUPS, strict=True)])
            bypasses = [part.view(plan.nodes, -1) for plan, part in zip(groups, parts, strict=True)]
        return [GroupWeights(plan, [next(pieces) for _ in plan.bundles], kernels[i], by_target[i], bypasses[i],
                             gates, self.skip_dropout) for i, plan in enumerate(groups)]


class GroupWeights(NamedTuple):
    """The gates and kernels of a group of edges.

    Args:
        plan (GroupPlan): the plan of the group.
        bundles (list[Tensor]): the gates of each bundle by channel, [members * C].
        kernels (list[list[Tensor]]): the kernels of each bundle, as :func:`side_by_side` joins ``EdgeGroup.kernels``.
        rows (Tensor, optional): [targets, maps]; None without maps.
        bypass (Tensor, optional): [nodes, states], in PC-DARTS.
        gates (Tensor, optional): [14, 8], if identities have dropout.
        skip_dropout (float): the dropout of each of these identities.
    """
    plan: GroupPlan
    bundles: list[Tensor]
    kernels: list[list[Tensor]]
    rows: Tensor | None
    bypass: Tensor | None
    gates: Tensor | None
    skip_dropout: float

    def identity(self, edge: int) -> Tensor:
        """The gate of an edge's identity that has dropout."""
        assert self.gates is not None  # a plan with `dropped` edges keeps the gates
        return self.gates[edge, COLUMN[SKIP]]
