"""The supernet of cells, the base class of the four spaces of cells."""
import functools
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ...genotype import Genotype
from ...layers.activation import relu
from ...layers.convolution import conv2d
from ...layers.joining import join
from ...networks.stage_outputs import Stages
from ...recent import Recent
from ...space_format import Candidate
from ...transport import tensors_of, with_tensors
from ..base import SearchSpace
from ..edge_norm import BATCH_STATISTICS, EdgeNorm, affine_norm_cfg
from ..stem import cell_stem
from .derivation import Nodes
from .draws import NodeDraw
from .edges import EdgeGroup, NodeSums, channels_last, factorized_reduction
from .layout import (
    CELLS,
    EDGES,
    NODES,
    OPERATIONS,
    STAGES,
    STEM_MULTIPLIER,
    CellPlace,
    reductions,
    stack_of_cells,
    stage_widths,
)
from .plan import GROUPS, Candidates, CellPlan, GroupWeights, Mixture
from .weights import side_by_side


class PointwiseReduce(nn.Module):
    """Brings the rectified output of an earlier cell to the width of a cell.

    It is a 1x1 convolution or a factorised reduction, and a norm.
    """

    def __init__(self, in_channels: int, channels: int, reduce: bool, norm: EdgeNorm) -> None:
        super().__init__()
        self.norm = norm
        shapes = [(channels // 2, in_channels, 1, 1)] * 2 if reduce else [(channels, in_channels, 1, 1)]
        self.weights = nn.ParameterList(nn.Parameter(torch.empty(shape)) for shape in shapes)
        for weight in self.weights:
            nn.init.kaiming_normal_(weight, nonlinearity='relu')

    @property
    def reduces(self) -> bool:
        return len(self.weights) == 2

    def forward(self, x: Tensor) -> Tensor:
        weights = list(self.weights)
        return self.norm(factorized_reduction(x, *weights) if len(weights) == 2 else conv2d(x, *weights), 1)


class SearchCell(nn.Module):
    """A cell with all its candidates.

    Args:
        place (CellPlace): the place in the stack. The output has 4 times its
            channels.
        candidates (list[tuple[str]]): the operations of each edge.
        norm (EdgeNorm): the norm of all maps.
    """

    def __init__(self, place: CellPlace, candidates: Candidates, norm: EdgeNorm) -> None:
        super().__init__()
        self.kind, self.norm = place.kind, norm
        self.inputs = nn.ModuleList([
            PointwiseReduce(place.widths[0], place.channels, place.after_reduction, norm),
            PointwiseReduce(place.widths[1], place.channels, False, norm)
        ])
        stride = 2 if self.kind == 'reduce' else 1
        self.groups = nn.ModuleList(
            self.group(states, stride if len(states) == 2 else 1, place.channels, candidates, norm)
            for states in GROUPS)

    def group(self, states: tuple[int, ...], stride: int, channels: int, candidates: Candidates,
              norm: EdgeNorm) -> EdgeGroup:
        """The edges that leave some states."""
        return EdgeGroup(states, stride, channels, candidates, norm)

    def forward(self, before: Tensor, last: Tensor, weights: list[GroupWeights]) -> Tensor:
        """The rectified outputs of the two cells before, and the weights of each group -> [N, 4 C, H, W]."""
        joined = self.first_states(before, last)
        states, sums = list(joined.chunk(2, 1)), NodeSums()
        side_by_side = joined
        for group, weight in zip(self.groups, weights, strict=True):
            group(states, weight, sums, side_by_side)  # the edges from the last states
            states.append(self.node(states, sums.take()))
            side_by_side = None
        return join(states[2:], 1)

    def first_states(self, before: Tensor, last: Tensor) -> Tensor:
        """The states 0 and 1, [N, 2 C, H, W]: by a single convolution if both inputs have the same shape."""
        inputs = [cast(PointwiseReduce, module) for module in self.inputs]
        if before.shape != last.shape or any(module.reduces for module in inputs):
            return join([module(x) for module, x in zip(inputs, (before, last), strict=True)], 1)
        kernels = join([weight for module in inputs for weight in module.weights])
        return self.norm(conv2d(join([before, last], 1), kernels, groups=2), 2)

    def node(self, states: Sequence[Tensor], total: Tensor | None) -> Tensor:
        """The state of a node: its sum, or zeros if no edge leads to it."""
        if total is not None:
            return total
        number, channels, height, width = states[0].shape  # every edge of the node is `none`
        if self.kind == 'reduce':
            height, width = -(-height // 2), -(-width // 2)
        return states[0].new_zeros(number, channels, height, width)


class CellSupernet(SearchSpace):
    """A stack of cells with all their candidates, a backbone of any mmdet or mmpretrain model.

    Stage 0 ends before the first reduction, stage 1 before the second, stage 2
    with the last cell. With the CIFAR stem they have the strides 1, 2, 4, with
    the ImageNet stem 8, 16, 32, and 4, 8 and 16 times ``channels``.

    Args:
        channels (int): C of the first cells; each reduction doubles it.
        layers (int): the number of cells. The cells at a third and two thirds
            of the depth reduce.
        stem (str): ``cifar``, a 3x3 convolution, or ``imagenet``, three 3x3
            convolutions of stride 2.
        stem_stride (int): the stride of the CIFAR stem. Weights don't depend on
            it, so tasks with images of different size can share the encoder.
        out_indices (tuple[int]): stages whose output ``forward`` returns.
        norm_cfg (dict): batch statistics without affine parameters (reading 8),
            or ``dict(type='GN', num_groups=...)`` for tiny batches. The norms
            of the stem have affine parameters, as in DARTS.

    Raises:
        ValueError: if an argument is not valid.
    """
    name: str  # of the space, in architecture files
    joins_operations = False  # whether both inputs of a node may be operations on the same edge

    def __init__(self,
                 channels: int = 16,
                 layers: int = 8,
                 stem: str = 'cifar',
                 stem_stride: int = 1,
                 out_indices: Sequence[int] = (2, ),
                 norm_cfg: dict[str, Any] = BATCH_STATISTICS,
                 init_cfg: dict[str, Any] | None = None) -> None:
        super().__init__(init_cfg)
        if not out_indices or any(i not in range(STAGES) for i in out_indices):
            raise ValueError(f'out_indices={tuple(out_indices)}: a stack of cells has the stages 0, 1 and 2')
        if channels < 2 or channels % 2:
            raise ValueError(f'channels={channels} must be an even number, at least 2')
        self.channels, self.layers, self.out_indices = channels, layers, tuple(out_indices)
        self._plans: Recent[CellPlan] = Recent(8)  # by kind of cell and chosen operations
        self.reductions = reductions(layers)
        self.norm = EdgeNorm(norm_cfg)
        width = STEM_MULTIPLIER * channels
        self.stem = cell_stem(stem, width, affine_norm_cfg(norm_cfg), stem_stride)
        self.cells = nn.ModuleList(
            self.cell(place) for place in stack_of_cells(layers, channels, width, stem == 'imagenet'))
        self.register_gates()

    def candidates(self) -> dict[str, list[tuple[str, ...]]]:
        """Kind of cell -> the operations of each of the 14 edges."""
        return {kind: [OPERATIONS] * len(EDGES) for kind in CELLS}

    def cell(self, place: CellPlace) -> SearchCell:
        return SearchCell(place, self.candidates()[place.kind], self.norm)

    @property
    def couples_images(self) -> bool:
        return self.norm.batch_statistics

    def alpha_shapes(self) -> dict[str, tuple[int, ...]]:
        return {kind: (len(EDGES), len(OPERATIONS)) for kind in CELLS}

    def blocks(self) -> dict[str, tuple[str, ...]]:
        return {'stem': ('stem', ), **{f'cell{i + 1}': (f'cells.{i}', ) for i in range(self.layers)}}

    def mixtures(self) -> dict[str, Mixture]:
        """Kind of cell -> its mixture at the present gates."""
        return {kind: Mixture(self.plan(kind), self.gates[kind]) for kind in CELLS}

    def plan(self, kind: str, chosen: np.ndarray | None = None, drops: bool = False) -> CellPlan:
        """The plan of a kind of cell; the supernet keeps the last few plans.

        Args:
            kind (str): ``normal`` or ``reduce``.
            chosen (ndarray, optional): bool [14, 8], the operations that are
                computed; all by default.
            drops (bool): whether identities have dropout.
        """
        widens = self.widens_kernels
        key = kind, None if chosen is None else chosen.tobytes(), drops, widens
        return self._plans.get_or_make(key, lambda: CellPlan(
            self.candidates()[kind], 2 if kind == 'reduce' else 1, None if chosen is None else chosen.tolist(), drops,
            widens))

    @property
    def widens_kernels(self) -> bool:
        """Whether 3x3 kernels are computed as 5x5 kernels, together with these.

        Calls cost time on a GPU, arithmetic costs time on a CPU.
        """
        return self.gates[CELLS[0]].device.type != 'cpu'

    @property
    def stage_channels(self) -> tuple[int, ...]:
        return stage_widths(self.channels)

    def search_cells(self) -> list[SearchCell]:
        return [cast(SearchCell, cell) for cell in self.cells]

    def kernels(self, mixtures: Mapping[str, Mixture]) -> list[list[list[list[Tensor]]]]:
        """The kernels of all convolutions, by cell, group and bundle."""
        slots = [[cast(EdgeGroup, group).kernels(plan)
                  for group, plan in zip(cell.groups, mixtures[cell.kind].plan.groups, strict=True)]
                 for cell in self.search_cells()]
        joined = iter(side_by_side([slot for cell in slots for group in cell for bundle in group for slot in bundle]))
        return [[[[next(joined) for _ in bundle] for bundle in group] for group in cell] for cell in slots]

    def stages(self, x: Tensor) -> Stages:
        mixtures = self.mixtures()
        kernels = self.kernels(mixtures)
        inputs = []  # of the next cell, rectified
        for part in self.stem:
            x = self.block(part, x)
            # not inside the stem: its affine norm has NaN gradients in this layout on CPUs
            inputs.append(relu(channels_last(x)))
        for index, cell in enumerate(self.search_cells()):
            before, last = inputs[0], inputs[-1]
            x = self.run_cell(cell, before, last, mixtures[cell.kind], kernels[index])
            if index + 1 in self.reductions:
                x = yield x
            if index + 1 < len(self.cells):
                inputs = [last, relu(x)]
        yield self.finish(x)

    def run_cell(self, cell: SearchCell, before: Tensor, last: Tensor, mixture: Mixture,
                 kernels: list[list[list[Tensor]]]) -> Tensor:
        """The output of a cell.

        Args:
            cell (SearchCell): the cell.
            before, last (Tensor): the rectified outputs of the two cells before it.
            mixture (Mixture): of its kind.
            kernels (list[list[list[Tensor]]]): its kernels, by group and bundle.
        """
        channels = cast(EdgeGroup, cell.groups[0]).channels
        gates = mixture.tensors(channels)

        def run(inputs: nn.Module, before: Tensor, last: Tensor, *tensors: Tensor) -> Tensor:
            joined = with_tensors(kernels, iter(tensors[len(gates):]))
            convolutions, rows, *others = tensors[:len(gates)]
            return cell(before, last, mixture.of(channels, joined, convolutions, rows, *others))

        # the module of the block holds only the weights of the inputs: the kernels of the groups are among the tensors
        return self.block(cell.inputs, before, last, *gates, *tensors_of(kernels), function=run,
                          draws=mixture.skip_dropout > 0)

    def finish(self, x: Tensor) -> Tensor:
        """The output of the last stage from that of the last cell."""
        return x

    def derive_cell(self, kind: str, importance: Mapping[str, Tensor]) -> Nodes:
        """The nodes of a kind of cell, by the rule of the space.

        Args:
            kind (str): ``normal`` or ``reduce``.
            importance (dict[str, Tensor]): the weights of all groups of A.
        """
        raise NotImplementedError

    def weights(self, alphas: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights of all groups of A that the rule of the space reads: [14, 8] per kind of cell."""
        return self.importance(alphas)

    def ranked_weights(self, kind: str, importance: Mapping[str, Tensor]) -> Tensor:
        """The weights [14, 8] of a kind of cell whose largest :meth:`derive_cell` keeps.

        Args:
            kind, importance: of :meth:`derive_cell`.
        """
        return importance[kind]

    @functools.cached_property
    def node_draws(self) -> list[tuple[str, NodeDraw]]:
        """Kind of cell and draw of each node. A space whose rule is not that of DARTS overrides it."""
        return [(kind, NodeDraw(node, self.candidates()[kind], self.joins_operations))
                for kind in CELLS for node in range(NODES)]

    def decisions(self) -> list[list[tuple[Candidate, ...]]]:
        """Each node decides on its two inputs, ``(kind of cell, edge, operation)``."""
        return [[tuple((kind, *pair) for pair in outcome) for outcome in draw.outcomes]
                for kind, draw in self.node_draws]

    def decision_probabilities(self, alphas: Mapping[str, Tensor]) -> list[Tensor]:
        weights = self.weights(alphas)
        ranked = {kind: self.ranked_weights(kind, weights) for kind in CELLS}
        return [draw.probabilities(ranked[kind]) for kind, draw in self.node_draws]

    def derive(self, alphas: Mapping[str, Tensor]) -> Genotype:
        return self.genotype(self.weights(alphas))

    def genotype(self, importance: Mapping[str, Tensor]) -> Genotype:
        """The architecture of these weights, which it records."""
        architecture = {kind: self.derive_cell(kind, importance) for kind in CELLS}
        return Genotype(self.name, architecture, {name: rows.tolist() for name, rows in importance.items()})
