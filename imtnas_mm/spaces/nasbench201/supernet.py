"""The supernet of NAS-Bench-201."""
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...genotype import Genotype
from ...layers.activation import relu
from ...networks.stage_outputs import Stages
from ...registry import MODELS
from ...space_format import Candidate
from ...transport import indices_on
from ..base import SearchSpace
from ..edge_norm import BATCH_STATISTICS, EdgeNorm
from ..stem import cell_stem
from .edges import SearchCell, SearchReduction, cell_gates
from .layout import CELL, EDGES, NAME, NONE, OPERATIONS, STAGES, block_names, check_size, stage_widths


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
        derive_none (bool): whether an edge of the derived cell may be ``none``, as in the benchmark's own
            implementation of DARTS. False takes the largest weight of the other operations, as DARTS does in its
            space: the search mixes ``none`` in, but a cell can't lose its edges to it.

    Raises:
        ValueError: if an argument is not valid.
    """

    def __init__(self,
                 channels: int = 16,
                 cells: int = 5,
                 stem: str = 'cifar',
                 stem_stride: int = 1,
                 out_indices: Sequence[int] = (2, ),
                 norm_cfg: dict[str, Any] = BATCH_STATISTICS,
                 derive_none: bool = True,
                 init_cfg: dict | list[dict] | None = None) -> None:
        super().__init__(init_cfg)
        check_size(channels, cells)
        self.derivable = tuple(i for i, operation in enumerate(OPERATIONS) if derive_none or operation != NONE)
        if not out_indices or any(i not in range(STAGES) for i in out_indices):
            raise ValueError(f'out_indices={tuple(out_indices)}: the network has the stages 0, 1 and 2')
        self.channels, self.cells_per_stage, self.out_indices = channels, cells, tuple(out_indices)
        self.norm = EdgeNorm(norm_cfg)
        self.stem = cell_stem(stem, channels, _without_affine(norm_cfg), stem_stride)
        self.cells = nn.ModuleList()
        for width in self.stage_channels:
            self.cells.extend(SearchCell(width, self.norm) for _ in range(cells))
            if width != self.stage_channels[-1]:
                self.cells.append(SearchReduction(width, self.norm))
        self.register_gates()

    @property
    def couples_images(self) -> bool:
        return self.norm.batch_statistics

    def alpha_shapes(self) -> dict[str, tuple[int, ...]]:
        return {CELL: (len(EDGES), len(OPERATIONS))}

    def blocks(self) -> dict[str, tuple[str, ...]]:
        names = block_names(self.cells_per_stage)
        return {names[0]: ('stem', ), **{name: (f'cells.{i}', ) for i, name in enumerate(names[1:])}}

    @property
    def stage_channels(self) -> tuple[int, ...]:
        return stage_widths(self.channels)

    def stages(self, x: Tensor) -> Stages:
        gates = dict(zip(self.stage_channels, cell_gates(self.gates[CELL], self.stage_channels), strict=True))
        if x.device.type == 'cpu':
            x = x.contiguous(memory_format=torch.channels_last)
        for part in self.stem:
            x = self.block(part, x)
        for cell in self.cells:
            if isinstance(cell, SearchCell):
                x = self.block(cell, x, *gates[cell.channels].flat())
            else:
                x = yield x
                x = self.block(cell, x)
        yield relu(self.norm(x, 1))

    def derive(self, alphas: Mapping[str, Tensor]) -> Genotype:
        """Each edge keeps the operation of its largest weight; ``derive_none`` says whether ``none`` counts."""
        importance = self.importance(alphas)
        choices = importance[CELL][:, list(self.derivable)].argmax(-1).tolist()
        cell = [[[OPERATIONS[self.derivable[choice]], edge.source] for choice, edge in zip(choices, EDGES, strict=True)
                 if edge.target == target] for target in range(1, EDGES[-1].target + 1)]
        source = None if len(self.derivable) == len(OPERATIONS) else dict(without=NONE)
        return Genotype(NAME, dict(cell=cell), {name: rows.tolist() for name, rows in importance.items()}, source)

    def decisions(self) -> list[list[tuple[Candidate, ...]]]:
        return [[outcomes[i] for i in self.derivable] for outcomes in super().decisions()]

    def decision_probabilities(self, alphas: Mapping[str, Tensor]) -> list[Tensor]:
        rows = [row[indices_on(self.derivable, row.device)] for row in super().decision_probabilities(alphas)]
        return [row / row.sum() for row in rows]


def _without_affine(norm_cfg: dict[str, Any]) -> dict[str, Any]:
    """The same norm for the modules of the stem."""
    if norm_cfg['type'] == 'BN':
        return dict(norm_cfg, type='imtnas_mm.TwiceDifferentiableBatchNorm2d')
    return dict(norm_cfg, affine=False)
