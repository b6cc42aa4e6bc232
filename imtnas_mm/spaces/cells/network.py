"""The network of a cell architecture (Liu et al., 2019, DARTS, Sec. 3.2 and App. A)."""
import torch
from mmcv.cnn.bricks import DropPath
from torch import nn

from ...networks.derived import DerivedNet
from ...registry import MODELS
from ..stem import cell_stem
from .blocks import STEM_MULTIPLIER
from .layout import STAGES, reductions, stack_of_cells, stage_widths
from .operations import FactorizedReduction, cell_operation, relu_conv_norm


class Cell(nn.Module):
    """One cell: 1x1 convolutions bring both inputs to ``channels``; each node sums its two edges.

    Args:
        nodes (list): ``genotype.architecture['normal']`` or ``['reduce']``.
        place (Place): in the stack; the output has ``len(nodes)`` times its
            channels.
        norm_cfg (dict): of every norm.
        drop_path (float): probability that an edge is dropped for an image.
    """

    def __init__(self, nodes, place, norm_cfg, drop_path):
        super().__init__()
        before = FactorizedReduction if place.after_reduction else relu_conv_norm
        self.inputs = nn.ModuleList([
            before(place.widths[0], place.channels, norm_cfg),
            relu_conv_norm(place.widths[1], place.channels, norm_cfg),
        ])
        # An edge's name has all there is to know of it: weights of another architecture don't fit by accident.
        self.nodes = [[(state, f'node{i}_{operation}_{state}') for operation, state in node]
                      for i, node in enumerate(nodes)]
        reduces = place.kind == 'reduce'
        self.edges = nn.ModuleDict({
            f'node{i}_{operation}_{state}': cell_operation(operation, place.channels,
                                                           2 if reduces and state < 2 else 1, norm_cfg)
            for i, node in enumerate(nodes) for operation, state in node
        })
        self.drop_path = DropPath(drop_path)

    def forward(self, before_last, last):
        """Outputs of the last cell but one and of the last -> this cell's."""
        states = [self.inputs[0](before_last), self.inputs[1](last)]
        for node in self.nodes:
            first, second = (self._edge(name, states[state]) for state, name in node)
            states.append(first + second)
        return torch.cat(states[2:], 1)

    def _edge(self, name, state):
        edge = self.edges[name]
        return state if isinstance(edge, nn.Identity) else self.drop_path(edge(state))


@MODELS.register_module()
class CellNet(DerivedNet):
    """The backbone that an architecture of a cell space stands for.

    Cells at a third and two thirds of the depth halve the resolution and
    double the width; a stage ends before one of them, or with the last cell.
    The outputs of stages 0, 1 and 2 have 4, 8 and 16 times ``channels``
    channels, and the strides 1, 2, 4 with the CIFAR stem and 8, 16, 32 with
    ImageNet's. Image sides may be odd: a halved side is rounded up.

    Edges other than the identity are dropped while training, for each image by
    itself, and what is left is scaled to the same mean. ``DropPathHook`` lets
    the rate grow to ``drop_path``; without it, it is constant.

    Args:
        architecture: what :func:`resolve_genotype` takes: the path of an
            ``architecture.json``, its content, or a name such as ``darts_v2``;
            of a space of cells: ``darts``, ``pdarts``, ``pcdarts``, ``prdarts``.
        channels (int): of a node in the first cells; even.
        layers (int): number of cells, at least 3.
        stem (str): ``'cifar'``, one 3x3 convolution, or ``'imagenet'``, three
            of stride 2.
        out_indices (tuple[int]): stages whose output ``forward`` returns.
        auxiliary (bool): while training, ``forward`` returns the output of the
            second reducing cell, too, just before that of the last stage (in
            the order of depth): ``CellHead`` trains its auxiliary classifier
            on it, other heads and necks that read the last entry don't notice.
        drop_path (float): in [0, 1).
        norm_cfg (dict): of every normalisation layer.
        norm_eval (bool): keep batch normalisation in evaluation mode.
        frozen_stages (int): -1 freezes nothing, 0 the stem, n also stages 0 to
            n - 1. What is frozen has no gradient and stays in evaluation mode.
        init_cfg (dict, optional): PyTorch's own initialisation by default, as
            in DARTS. With ``dict(type='Pretrained', checkpoint=...,
            prefix='backbone.')`` the weights of a classifier of the same
            architecture are loaded; another architecture's are refused, unless
            it differs in pools and identities alone, which have no weights.

    Raises:
        GenotypeError: if the architecture is not valid.
        ValueError: if another argument is not.
    """
    joint_config = 'configs/retrain/joint_cells_cifar.py'
    layers_prefix = 'cells.'

    def __init__(self,
                 architecture,
                 channels=36,
                 layers=20,
                 stem='cifar',
                 out_indices=(2, ),
                 auxiliary=False,
                 drop_path=0.,
                 norm_cfg=dict(type='BN'),  # noqa: B006
                 norm_eval=False,
                 frozen_stages=-1,
                 init_cfg=None):
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
    def stage_channels(self):
        return stage_widths(self.channels)

    def blocks(self, names):
        """A cell belongs to the searched cell at its place between the same reductions, counted as shares of them."""
        searched = len(names) - 1
        here, there = (cells_by_segment(n, reductions(n)) for n in (len(self.cells), searched))
        found = {name: () for name in names}
        found['stem'] = ('stem', )
        for own, other in zip(here, there, strict=True):
            for position, cell in enumerate(own):
                name = f'cell{other[position * len(other) // len(own)] + 1}'
                found[name] += (f'cells.{cell}', )
        return found

    def scale_drop_path(self, factor):
        """Drop edges at ``factor * drop_path``; returns that rate."""
        rate = factor * self.drop_path
        for cell in self.cells:
            cell.drop_path.drop_prob = rate
        return rate

    def stages(self, x, auxiliary):
        before_last = self.stem[0](x)
        last = self.stem[1](before_last) if len(self.stem) == 2 else before_last
        for i, cell in enumerate(self.cells):
            before_last, last = last, cell(before_last, last)
            if i == self.reductions[1] and self.auxiliary and self.training:
                auxiliary.append(last)
            if self._stage(i) != self._stage(i + 1):
                last = yield last

    def _stage(self, i):
        """The stage of cell i; one more than the last stage behind the last cell."""
        return sum(i >= start for start in (*self.reductions, len(self.cells)))

    def _stage_modules(self, stage):
        if stage < 0:
            return [self.stem]
        return [cell for i, cell in enumerate(self.cells) if self._stage(i) == stage]


def cells_by_segment(layers, reductions):
    """Indices of the normal cells before, between and after the two reductions, and each reduction by itself.

    Where a stack has no normal cell after a reduction, the reduction stands for them.
    """
    first, second = reductions
    segments = [[*range(first)], [first], [*range(first + 1, second)], [second], [*range(second + 1, layers)]]
    return [segment or segments[i - 1] for i, segment in enumerate(segments)]
