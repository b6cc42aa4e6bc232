"""The derived network of a cell architecture, as a backbone (Liu et al., 2019, DARTS, Sec. 3.2 and App. A)."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn

from ...genotype import Genotype
from ...networks.derived import DerivedNet
from ...networks.stage_outputs import Stages
from ...registry import MODELS
from ..stem import cell_stem
from .derivation import Nodes
from .layout import STAGES, STEM_MULTIPLIER, CellPlace, reductions, stack_of_cells, stage_widths
from .operations import FactorizedReduction, cell_operation, relu_conv_norm


class Cell(nn.Module):
    """A cell: 1x1 convolutions bring both inputs to ``channels``; each node is the sum of its two edges.

    Args:
        nodes (list): ``genotype.architecture['normal']`` or ``['reduce']``.
        place (CellPlace): the place in the stack. The output has ``len(nodes)``
            times its channels.
        norm_cfg (dict): the config of every norm.
        drop_path (float): the probability that an edge is dropped for an image.
    """

    def __init__(self, nodes: Nodes, place: CellPlace, norm_cfg: dict[str, Any], drop_path: float) -> None:
        super().__init__()
        before = FactorizedReduction if place.after_reduction else relu_conv_norm
        self.inputs = nn.ModuleList([
            before(place.widths[0], place.channels, norm_cfg),
            relu_conv_norm(place.widths[1], place.channels, norm_cfg),
        ])
        # the name of an edge holds its node, operation and state, so that no other architecture's weights fit
        self.nodes = [[(state, f'node{i}_{operation}_{state}') for operation, state in node]
                      for i, node in enumerate(nodes)]
        reduces = place.kind == 'reduce'
        self.edges = nn.ModuleDict({
            f'node{i}_{operation}_{state}': cell_operation(operation, place.channels,
                                                           2 if reduces and state < 2 else 1, norm_cfg)
            for i, node in enumerate(nodes) for operation, state in node
        })
        self.drop_path = DropPath(drop_path)

    def forward(self, before_last: Tensor, last: Tensor) -> Tensor:
        """The outputs of the last cell but one and of the last cell -> the output of this cell."""
        states = [self.inputs[0](before_last), self.inputs[1](last)]
        for node in self.nodes:
            first, second = (self._edge(name, states[state]) for state, name in node)
            states.append(first + second)
        return torch.cat(states[2:], 1)

    def _edge(self, name: str, state: Tensor) -> Tensor:
        edge = self.edges[name]
        return state if isinstance(edge, nn.Identity) else self.drop_path(edge(state))


@MODELS.register_module()
class CellNet(DerivedNet):
    """The backbone of an architecture of a cell space.

    Cells at a third and two thirds of the depth halve the resolution and
    double the width. A stage ends before such a cell, or with the last cell.
    The outputs of stages 0, 1 and 2 have 4, 8 and 16 times ``channels``
    channels, and the strides 1, 2, 4 with the CIFAR stem and 8, 16, 32 with
    ImageNet's. Image sides may be odd: a halved side is rounded up.

    Edges other than the identity are dropped in training, independently for
    each image, and the other edges are scaled to the same mean.
    ``DropPathHook`` lets the rate grow to ``drop_path``; without it, the rate is
    constant.

    Args:
        architecture: anything that :func:`resolve_genotype` takes: the path of
            an ``architecture.json``, its content, or a name such as
            ``darts_v2``. Its space is ``darts``, ``pdarts``, ``pcdarts`` or
            ``prdarts``.
        channels (int): the channels of a node in the first cells; even.
        layers (int): the number of cells, at least 3.
        stem (str): ``'cifar'``, a 3x3 convolution, or ``'imagenet'``, three
            3x3 convolutions of stride 2.
        out_indices (tuple[int]): stages whose output ``forward`` returns.
        auxiliary (bool): in training, ``forward`` also returns the output of
            the second reducing cell, just before the output of the last stage
            (in the order of depth). ``CellHead`` trains its auxiliary
            classifier on it. It makes no difference to heads and necks that
            read the last entry.
        drop_path (float): the rate of dropped edges, in [0, 1).
        norm_cfg (dict): the config of every normalisation layer.
        norm_eval (bool): keep batch normalisation in evaluation mode.
        frozen_stages (int): -1 freezes nothing, 0 the stem, n also stages 0 to
            n - 1. Frozen parts have no gradient and stay in evaluation mode.
        init_cfg (dict, optional): PyTorch's initialisation by default, as in
            DARTS. ``dict(type='Pretrained', checkpoint=...,
            prefix='backbone.')`` loads the weights of a classifier of the same
            architecture. The weights of another architecture are refused.
            Checkpoints of other programs do not record theirs, and are compared
            by the names and shapes of the weights.

    Raises:
        GenotypeError: if the architecture is not valid.
        ValueError: if another argument is not valid.
    """
    joint_config = 'configs/retrain/joint_cells_cifar.py'
    layers_prefix = 'cells.'

    def __init__(self,
                 architecture: Genotype | dict[str, Any] | str | Path | None = None,
                 channels: int = 36,
                 layers: int = 20,
                 stem: str = 'cifar',
                 out_indices: Sequence[int] = (2, ),
                 auxiliary: bool = False,
                 drop_path: float = 0.,
                 norm_cfg: dict[str, Any] = dict(type='BN'),  # noqa: B006
                 norm_eval: bool = False,
                 frozen_stages: int = -1,
                 init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None) -> None:
        super().__init__(architecture, out_indices, norm_eval, frozen_stages, init_cfg)
        if channels < 2 or channels % 2:
            raise ValueError(f'channels={channels!r} must be even and at least 2: reductions split them in halves')
        if auxiliary and STAGES - 1 not in out_indices:
            raise ValueError(f'auxiliary={auxiliary!r}: its feature goes with that of stage {STAGES - 1}, which '
                             f'out_indices={out_indices!r} lacks')
        if not 0 <= drop_path < 1:
            raise ValueError(f'drop_path={drop_path!r} must be in [0, 1)')
        self.reductions = reductions(layers)
        self.channels = channels
        self.auxiliary = auxiliary
        self.drop_path = drop_path
        width = STEM_MULTIPLIER * channels if stem == 'cifar' else channels
        self.stem = cell_stem(stem, width, norm_cfg)
        self.cells = nn.ModuleList(
            Cell(self.genotype.architecture[place.kind], place, norm_cfg, drop_path)
            for place in stack_of_cells(layers, channels, width, stem == 'imagenet'))
        self._freeze()

    @property
    def stage_channels(self) -> tuple[int, ...]:
        return stage_widths(self.channels)

    def blocks(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """A cell belongs to the searched cell at the same relative place between the same reductions."""
        searched = len(names) - 1
        here, there = (cells_by_segment(n, reductions(n)) for n in (len(self.cells), searched))
        blocks: dict[str, tuple[str, ...]] = {name: () for name in names}
        blocks['stem'] = ('stem', )
        for cells, others in zip(here, there, strict=True):
            for position, cell in enumerate(cells):
                name = f'cell{others[position * len(others) // len(cells)] + 1}'
                blocks[name] += (f'cells.{cell}', )
        return blocks

    def scale_drop_path(self, factor: float) -> float:
        """Sets the rate of dropped edges to ``factor * drop_path``; returns it."""
        rate = factor * self.drop_path
        for cell in self.cells:
            cast(Cell, cell).drop_path.drop_prob = rate
        return rate

    def stages(self, x: Tensor, auxiliary: list[Tensor]) -> Stages:
        before_last = self.stem[0](x)
        last = self.stem[1](before_last) if len(self.stem) == 2 else before_last
        for i, cell in enumerate(self.cells):
            before_last, last = last, cell(before_last, last)
            if i == self.reductions[1] and self.auxiliary and self.training:
                auxiliary.append(last)
            if self._stage(i) != self._stage(i + 1):
                last = yield last

    def _stage(self, i: int) -> int:
        """The stage of cell i. The index after the last cell has the number of stages."""
        return sum(i >= start for start in (*self.reductions, len(self.cells)))

    def _stage_modules(self, stage: int) -> list[nn.Module]:
        if stage < 0:
            return [self.stem]
        return [cell for i, cell in enumerate(self.cells) if self._stage(i) == stage]


def cells_by_segment(layers: int, reductions: tuple[int, int]) -> list[list[int]]:
    """The indices of the cells in five segments: normal cells, first reduction, normal cells, second reduction, rest.

    If no normal cell follows a reduction, that segment holds the reduction.
    """
    first, second = reductions
    segments = [[*range(first)], [first], [*range(first + 1, second)], [second], [*range(second + 1, layers)]]
    return [segment or segments[i - 1] for i, segment in enumerate(segments)]
