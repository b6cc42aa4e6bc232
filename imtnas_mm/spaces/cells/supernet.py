"""The supernet that the four cell spaces share."""
import torch
from torch import nn

from ...genotype import Genotype
from ...layers.activation import relu
from ...layers.convolution import conv2d
from ...layers.joining import join
from ...recent import Recent
from ...transport import tensors_of, with_tensors
from ..base import SearchSpace
from ..edge_norm import BATCH_STATISTICS, EdgeNorm
from ..stem import cell_stem
from .blocks import STEM_MULTIPLIER
from .edges import EdgeGroup, NodeSums, channels_last, factorized_reduction
from .layout import CELLS, EDGES, OPERATIONS, STAGES, reductions, stack_of_cells, stage_widths
from .plan import GROUPS, CellPlan, Mixture
from .weights import side_by_side


def affine_norm_cfg(norm_cfg):
    """``norm_cfg`` with affine parameters, for the few norms outside the edges."""
    return dict(norm_cfg, affine=True) if norm_cfg['type'] == 'BN' else norm_cfg


class PointwiseReduce(nn.Module):
    """An earlier cell's rectified output at a cell's width: 1x1 convolution or factorised reduction, norm."""

    def __init__(self, in_channels, channels, reduce, norm):
        super().__init__()
        self.norm = norm
        shapes = [(channels // 2, in_channels, 1, 1)] * 2 if reduce else [(channels, in_channels, 1, 1)]
        self.weights = nn.ParameterList(nn.Parameter(torch.empty(shape)) for shape in shapes)
        for weight in self.weights:
            nn.init.kaiming_normal_(weight, nonlinearity='relu')

    @property
    def reduces(self):
        return len(self.weights) == 2

    def forward(self, x):
        weights = list(self.weights)
        return self.norm(factorized_reduction(x, *weights) if len(weights) == 2 else conv2d(x, *weights), 1)


class SearchCell(nn.Module):
    """One cell with all its candidates.

    Args:
        place (Place): in the stack; the output has 4 times its channels.
        candidates (list[tuple[str]]): operations of each edge.
        norm (EdgeNorm): of all maps.
    """

    def __init__(self, place, candidates, norm):
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

    def group(self, states, stride, channels, candidates, norm):
        return EdgeGroup(states, stride, channels, candidates, norm)

    def forward(self, before, last, weights):
        """The rectified outputs of the two cells before, and the list of :class:`GroupWeights` -> [N, 4 C, H, W]."""
        joined = self.first_states(before, last)
        states, sums = list(joined.chunk(2, 1)), NodeSums()
        for group, weight in zip(self.groups, weights, strict=True):
            group(states, weight, sums, joined)  # leaving the states that are known now
            states.append(self.node(states, sums.take()))
            joined = None
        return join(states[2:], 1)

    def first_states(self, before, last):
        """The states 0 and 1, [N, 2 C, H, W]: by one convolution where both inputs are of one shape."""
        if before.shape != last.shape or any(module.reduces for module in self.inputs):
            return join([module(x) for module, x in zip(self.inputs, (before, last), strict=True)], 1)
        kernels = join([weight for module in self.inputs for weight in module.weights])
        return self.norm(conv2d(join([before, last], 1), kernels, groups=2), 2)

    def node(self, states, total):
        if total is not None:
            return total
        number, channels, height, width = states[0].shape  # every edge of the node chose `none`
        if self.kind == 'reduce':
            height, width = -(-height // 2), -(-width // 2)
        return states[0].new_zeros(number, channels, height, width)


class CellSupernet(SearchSpace):
    """A stack of cells with all their candidates, a backbone of any mmdet or mmpretrain model.

    The stages are the cells before the first reduction, those up to the
    second, and the rest; with the stem of CIFAR they have the strides 1, 2, 4,
    with that of ImageNet 8, 16, 32, and 4, 8 and 16 times ``channels``.

    Args:
        channels (int): C of the first cells; each reduction doubles it.
        layers (int): cells. Those at a third and two thirds reduce.
        stem (str): ``cifar``, a 3x3 convolution; ``imagenet``, three of stride 2.
        stem_stride (int): of the stem of CIFAR; weights don't depend on it, so
            tasks with images of different size can share the encoder.
        out_indices (tuple[int]): stages whose output ``forward`` returns.
        norm_cfg (dict): batch statistics without affine parameters (reading 8),
            or ``dict(type='GN', num_groups=...)`` for tiny batches. The stem's
            has affine parameters, as in DARTS.
    """
    name = None  # of the space, in architecture files

    def __init__(self,
                 channels=16,
                 layers=8,
                 stem='cifar',
                 stem_stride=1,
                 out_indices=(2, ),
                 norm_cfg=BATCH_STATISTICS,
                 init_cfg=None):
        super().__init__(init_cfg)
        if not out_indices or any(i not in range(STAGES) for i in out_indices):
            raise ValueError(f'out_indices={tuple(out_indices)}: a stack of cells has the stages 0, 1 and 2')
        if channels < 2 or channels % 2:
            raise ValueError(f'channels={channels} must be an even number, at least 2')
        self.channels, self.layers, self.out_indices = channels, layers, tuple(out_indices)
        self._plans = Recent(8)  # of kinds of cells, and of what is sampled
        self.reductions = reductions(layers)
        self.norm = EdgeNorm(norm_cfg)
        width = STEM_MULTIPLIER * channels
        self.stem = cell_stem(stem, width, affine_norm_cfg(norm_cfg), stem_stride)
        self.cells = nn.ModuleList(
            self.cell(place) for place in stack_of_cells(layers, channels, width, stem == 'imagenet'))
        self.register_gates()

    def candidates(self):
        """dict[str, list[tuple[str]]]: the operations of each edge, by kind of cell."""
        return {kind: [OPERATIONS] * len(EDGES) for kind in CELLS}

    def cell(self, place):
        return SearchCell(place, self.candidates()[place.kind], self.norm)

    @property
    def couples_images(self):
        return self.norm.batch_statistics

    def alpha_shapes(self):
        return {kind: (len(EDGES), len(OPERATIONS)) for kind in CELLS}

    def blocks(self):
        return {'stem': ('stem', ), **{f'cell{i + 1}': (f'cells.{i}', ) for i in range(self.layers)}}

    def mixtures(self):
        """dict[str, Mixture]: how each kind of cell mixes, at the present gates."""
        return {kind: Mixture(self.plan(kind), self.gates[kind]) for kind in CELLS}

    def plan(self, kind, chosen=None, drops=False):
        """The :class:`CellPlan` of a kind of cell; the last few are kept.

        Args:
            chosen (ndarray, optional): bool [14, 8], what is computed; all by default.
            drops (bool): whether identities have dropout.
        """
        key = kind, None if chosen is None else chosen.tobytes(), drops
        return self._plans.get_or_make(key, lambda: CellPlan(
            self.candidates()[kind], 2 if kind == 'reduce' else 1, None if chosen is None else chosen.tolist(), drops))

    @property
    def stage_channels(self):
        return stage_widths(self.channels)

    def kernels(self, mixtures):
        """list[list[list[list[Tensor]]]]: what the convolutions of each cell take, by group and bundle."""
        slots = [[group.kernels(plan) for group, plan in zip(cell.groups, mixtures[cell.kind].plan.groups, strict=True)]
                 for cell in self.cells]
        joined = iter(side_by_side([slot for cell in slots for group in cell for bundle in group for slot in bundle]))
        return [[[[next(joined) for _ in bundle] for bundle in group] for group in cell] for cell in slots]

    def stages(self, x):
        mixtures = self.mixtures()
        kernels = self.kernels(mixtures)
        inputs = []  # of the next cell, rectified
        for part in self.stem:
            x = self.block(part, x)
            # after the stem, whose affine norm has NaN gradients in this layout on CPUs
            inputs.append(relu(channels_last(x)))
        for index, cell in enumerate(self.cells):
            before, last = inputs[0], inputs[-1]
            x = self.run_cell(cell, before, last, mixtures[cell.kind], kernels[index])
            if index + 1 in self.reductions:
                x = yield x
            if index + 1 < len(self.cells):
                inputs = [last, relu(x)]
        yield self.finish(x)

    def run_cell(self, cell, before, last, mixture, kernels):
        """A cell's output from the rectified ones of the two before it."""
        channels = cell.groups[0].channels
        gates = mixture.tensors(channels)

        def run(inputs, before, last, *tensors):
            given, joined = tensors[:len(gates)], with_tensors(kernels, iter(tensors[len(gates):]))
            return cell(before, last, mixture.of(channels, joined, *given))

        # the block's module is all that holds weights of its own: those of the groups are among the tensors
        return self.block(cell.inputs, before, last, *gates, *tensors_of(kernels), function=run,
                          draws=mixture.skip_dropout > 0)

    def finish(self, x):
        """What a space does with the last cell's output."""
        return x

    def derive(self, alphas):
        return self.genotype(self.importance(alphas))

    def genotype(self, importance):
        architecture = {kind: self.derive_cell(kind, importance) for kind in CELLS}
        return Genotype(self.name, architecture, {name: rows.tolist() for name, rows in importance.items()})
