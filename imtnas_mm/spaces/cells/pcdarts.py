"""The search space of PC-DARTS."""
from collections.abc import Mapping
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from ...layers.joining import join
from ...registry import MODELS
from ...space_format import register_space
from ..base import Gates
from ..edge_norm import EdgeNorm
from .derivation import Nodes, strongest_edges
from .edges import EdgeGroup, NodeSums, mix
from .format import cell_format, read_cells
from .layout import CELLS, NODES, CellPlace
from .plan import Candidates, GroupWeights, Mixture
from .supernet import CellSupernet, SearchCell
from .traits import CellTraits


def edge_group(kind: str, node: int) -> str:
    """The name of the group of A that weighs the edges into a node of a kind of cell."""
    return f'{kind}_edges{node}'


def edge_weights_of(kind: str, groups: Mapping[str, Tensor] | Gates) -> Tensor:
    """The weights [14] of a kind of cell's edges in the order of ``EDGES``, from groups by name."""
    return torch.cat([groups[edge_group(kind, node)] for node in range(NODES)])


def shuffled(first: Tensor, rest: Tensor, groups: int) -> Tensor:
    """``channel_shuffle(cat(first, rest))`` of [N, C / groups, H, W] and [N, C - C / groups, H, W].

    Channel c * (C / groups) + i becomes channel i * groups + c, as in ShuffleNet (Zhang et al., 2018).
    """
    number, channels, height, width = first.shape
    # channels last: the channels are innermost
    rest = rest.permute(0, 2, 3, 1).unflatten(3, (groups - 1, channels)).transpose(3, 4)
    y = join([first.permute(0, 2, 3, 1)[..., None], rest], 4)
    return y.reshape(number, height, width, groups * channels).permute(0, 3, 1, 2)


class PartialCell(SearchCell):
    """A cell that sends 1 / ``part`` of the channels of a state through the operations (Xu et al., 2020, Eq. 2).

    The other channels bypass them, through a 2x2 max pool on edges of stride 2.
    With edge weights b_j, channels x' for the operations and x'' for the
    bypass, a node is
    ``shuffle(cat(sum_j b_j sum_o a_jo o(x'_j), sum_j b_j x''_j))``. The shuffle
    is the same for all edges, so it is applied to the sum.

    Args:
        place, candidates, norm: as :class:`SearchCell` takes them.
        part (int): 1 / ``part`` of the channels go through the operations.
    """

    def __init__(self, place: CellPlace, candidates: Candidates, norm: EdgeNorm, part: int) -> None:
        self.part = part
        super().__init__(place, candidates, norm)

    def group(self, states: tuple[int, ...], stride: int, channels: int, candidates: Candidates,
              norm: EdgeNorm) -> EdgeGroup:
        return EdgeGroup(states, stride, channels // self.part, candidates, norm)

    def forward(self, before: Tensor, last: Tensor, weights: list[GroupWeights]) -> Tensor:
        joined = self.first_states(before, last)
        states = list(joined.chunk(2, 1))
        inside: list[Tensor] = []  # the channels of each state that go through the operations
        rest: list[Tensor] = []  # and those that bypass them
        sums, bypass = NodeSums(), NodeSums()
        for module, weight in zip(self.groups, weights, strict=True):
            group = cast(EdgeGroup, module)
            assert weight.bypass is not None  # PC-DARTS weighs all edges
            for x in states[len(inside):]:
                size = x.shape[1] // self.part
                first, second = x.split([size, x.shape[1] - size], 1)
                inside.append(first)
                reduces = self.kind == 'reduce' and len(rest) < 2
                rest.append(F.max_pool2d(second, 2, 2, ceil_mode=True) if reduces else second)
            group(inside, weight, sums)
            bypass.add_maps(range(NODES - weight.plan.nodes, NODES),
                            mix([rest[state] for state in group.states], weight.bypass))
            computed, passed = sums.take(), bypass.take()
            assert computed is not None and passed is not None  # every edge has operations and a bypass
            states.append(shuffled(computed, passed, self.part))
        return join(states[2:], 1)


@MODELS.register_module()
class PCDARTSSupernet(CellSupernet):
    """Partial channel connections and edge normalisation (Xu et al., 2020, Sec. 3).

    Besides the groups of the operations, A has one group per node for the
    weights of its edges (``normal_edges0`` for the first node of normal cells,
    and so on).

    Args:
        part (int): K; 1 / K of the channels go through the operations: 4 for
            CIFAR, 2 for ImageNet.
        channels, options: options of :class:`CellSupernet`.
    """
    name = 'pcdarts'

    def __init__(self, part: int = 4, channels: int = 16, **options: Any) -> None:
        if part < 2 or channels % (2 * part):
            raise ValueError(f'part={part}, channels={channels}: part must be at least 2, and channels a multiple of '
                             'twice it')
        self.part = part
        super().__init__(channels=channels, **options)

    @property
    def widens_kernels(self) -> bool:
        return True  # with so few channels a call costs more than its arithmetic, on CPUs too

    def cell(self, place: CellPlace) -> SearchCell:
        return PartialCell(place, self.candidates()[place.kind], self.norm, part=self.part)

    def alpha_shapes(self) -> dict[str, tuple[int, ...]]:
        edges = {edge_group(kind, node): (node + 2, ) for kind in CELLS for node in range(NODES)}
        return {**super().alpha_shapes(), **edges}

    def mixtures(self) -> dict[str, Mixture]:
        mixtures = {}
        for kind in CELLS:
            edge_weights = edge_weights_of(kind, self.gates)
            mixtures[kind] = Mixture(
                self.plan(kind), self.gates[kind] * edge_weights[:, None], edge_weights=edge_weights)
        return mixtures

    def ranked_weights(self, kind: str, importance: Mapping[str, Tensor]) -> Tensor:
        return importance[kind] * edge_weights_of(kind, importance)[:, None]

    def derive_cell(self, kind: str, importance: Mapping[str, Tensor]) -> Nodes:
        return strongest_edges(self.ranked_weights(kind, importance))


PUBLISHED = dict(  # Xu et al., 2020 (PC-DARTS)
    pc_darts_cifar=read_cells(
        'sep3-1 skip-0 | sep3-0 dil3-1 | sep5-0 sep3-1 | avg-0 dil3-1',
        'sep5-1 max-0 | sep5-1 sep5-2 | sep3-0 sep3-3 | sep3-1 sep3-2'),
    pc_darts_image=read_cells(
        'skip-1 sep3-0 | sep3-0 skip-1 | sep3-1 sep3-3 | sep3-1 dil5-4',
        'sep3-0 skip-1 | dil5-2 max-1 | sep3-2 sep3-1 | sep5-0 sep3-3'))

register_space(cell_format(PCDARTSSupernet.name, 'PC-DARTS', CellTraits(weighs_edges=True), published=PUBLISHED))
