"""The supernet of NAS-Bench-201."""
import torch
from torch import nn

from ...genotype import Genotype
from ...layers.activation import relu
from ...layers.normalization import twice_differentiable_norm_cfg
from ...registry import MODELS
from ..base import SearchSpace
from ..edge_norm import BATCH_STATISTICS, EdgeNorm
from ..stem import cell_stem
from .edges import SearchCell, SearchReduction, cell_gates
from .layout import CELL, EDGES, NAME, OPERATIONS, STAGES, block_names, check_size, reductions, stage_widths

CONVOLUTION = dict(type='imtnas_mm.TwiceDifferentiableConv2d')


@MODELS.register_module()
class NASBench201Supernet(SearchSpace):
    """The search network of NAS-Bench-201 (Dong and Yang, 2020), a backbone with pyramid features.

    Every edge of a cell is the softmax mixture of five operations. All cells have
    one A, the group ``cell`` [6, 5]: the edges 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2, and
    ``OPERATIONS`` in the benchmark's order. The three stages have the strides 1, 2, 4
    with the stem of CIFAR and 8, 16, 32 with that of ImageNet, and the widths C, 2 C, 4 C. The last stage
    ends with a norm and a ReLU, as the benchmark's network does.

    Args:
        channels (int): C of the first stage; 16 in the benchmark.
        cells (int): per stage; 5 in the benchmark.
        stem (str): ``cifar``, a 3x3 convolution, which is the benchmark's; ``imagenet``, three of stride 2.
        stem_stride (int): of the stem of CIFAR; weights don't depend on it, so
            tasks with images of different size can share the encoder.
        out_indices (tuple[int]): stages whose output ``forward`` returns.
        norm_cfg (dict): of all norms: batch statistics without affine parameters (reading 8),
            or ``dict(type='GN', num_groups=...)`` for tiny batches.

    Raises:
        ValueError: if an argument is not valid.
    """

    def __init__(self,
                 channels=16,
                 cells=5,
                 stem='cifar',
                 stem_stride=1,
                 out_indices=(2, ),
                 norm_cfg=BATCH_STATISTICS,
                 init_cfg=None):
        super().__init__(init_cfg)
        check_size(channels, cells)
        if not out_indices or any(i not in range(STAGES) for i in out_indices):
            raise ValueError(f'out_indices={tuple(out_indices)}: the network has the stages 0, 1 and 2')
        self.channels, self.cells_per_stage, self.out_indices = channels, cells, tuple(out_indices)
        self.norm = EdgeNorm(norm_cfg)
        self.stem = cell_stem(stem, channels, _without_affine(norm_cfg), stem_stride, CONVOLUTION)
        self.reductions = reductions(cells)
        self.cells = nn.ModuleList()
        for width in self.stage_channels:
            self.cells.extend(SearchCell(width, self.norm) for _ in range(cells))
            if width != self.stage_channels[-1]:
                self.cells.append(SearchReduction(width, self.norm))
        self.register_gates()

    @property
    def couples_images(self):
        return self.norm.batch_statistics

    def alpha_shapes(self):
        return {CELL: (len(EDGES), len(OPERATIONS))}

    def blocks(self):
        names = block_names(self.cells_per_stage)
        return {names[0]: ('stem', ), **{name: (f'cells.{i}', ) for i, name in enumerate(names[1:])}}

    @property
    def stage_channels(self):
        return stage_widths(self.channels)

    def stages(self, x):
        gates = dict(zip(self.stage_channels, cell_gates(self.gates[CELL], self.stage_channels), strict=True))
        if x.device.type == 'cpu':
            x = x.contiguous(memory_format=torch.channels_last)
        for part in self.stem:
            x = self.block(part, x)
        for i, cell in enumerate(self.cells):
            if i in self.reductions:
                x = yield x
                x = self.block(cell, x)
            else:
                x = self.block(cell, x, *gates[cell.channels].flat())
        yield relu(self.norm(x, 1))

    def derive(self, alphas):
        """Each edge keeps the operation of its largest weight, ``none`` included."""
        importance = self.importance(alphas)
        choices = importance[CELL].argmax(-1).tolist()
        cell = [[[OPERATIONS[choice], edge.source] for choice, edge in zip(choices, EDGES, strict=True)
                 if edge.target == target] for target in range(1, EDGES[-1].target + 1)]
        return Genotype(NAME, dict(cell=cell), {name: rows.tolist() for name, rows in importance.items()})


def _without_affine(norm_cfg):
    """The same norm for the modules of the stem."""
    return twice_differentiable_norm_cfg(norm_cfg) if norm_cfg['type'] == 'BN' else dict(norm_cfg, affine=False)
