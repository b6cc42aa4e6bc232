"""The network of a NAS-Bench-201 architecture."""
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmcv.cnn import build_norm_layer
from torch import Tensor, nn

from ...genotype import Genotype
from ...networks.derived import DerivedNet
from ...networks.stage_outputs import Stages
from ...registry import MODELS
from ..stem import cell_stem, conv_norm
from .layout import AVG_POOL, CELL, CONV_1X1, CONV_3X3, NONE, SKIP, STAGES, check_size, reductions, stage_widths

KERNELS = {CONV_1X1: 1, CONV_3X3: 3}


def relu_conv_norm(in_channels: int, out_channels: int, kernel: int, stride: int, norm_cfg: dict[str, Any]
                   ) -> nn.Sequential:
    """ReLU, convolution, norm."""
    return nn.Sequential(nn.ReLU(), *conv_norm(in_channels, out_channels, kernel, stride, norm_cfg))


def operation(name: str, channels: int, norm_cfg: dict[str, Any]) -> nn.Module:
    """The module of an operation, but ``none``."""
    if name == SKIP:
        return nn.Identity()
    if name == AVG_POOL:
        return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    return relu_conv_norm(channels, channels, KERNELS[name], 1, norm_cfg)


class Cell(nn.Module):
    """Each state sums the edges into it; the last one is the output.

    Args:
        states (list): ``genotype.architecture['cell']``.
        channels (int): of all states.
        norm_cfg (dict): of every norm.
    """

    def __init__(self, states: list, channels: int, norm_cfg: dict[str, Any]) -> None:
        super().__init__()
        # an edge's name has its state, operation and source, so that weights of another architecture don't fit
        self.states = [[(source, f'state{i}_{name}_{source}') for name, source in state if name != NONE]
                       for i, state in enumerate(states, 1)]
        self.edges = nn.ModuleDict({
            f'state{i}_{name}_{source}': operation(name, channels, norm_cfg)
            for i, state in enumerate(states, 1) for name, source in state if name != NONE
        })

    def forward(self, x: Tensor) -> Tensor:
        states = [x]
        for inputs in self.states:
            pieces = [self.edges[name](states[source]) for source, name in inputs]
            states.append(functools.reduce(torch.add, pieces) if pieces else x.new_zeros(x.shape))
        return states[-1]


class Reduction(nn.Module):
    """The residual block of stride 2 between two stages; an odd side is rounded up."""

    def __init__(self, channels: int, norm_cfg: dict[str, Any]) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            relu_conv_norm(channels, 2 * channels, 3, 2, norm_cfg),
            relu_conv_norm(2 * channels, 2 * channels, 3, 1, norm_cfg))
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, 2, ceil_mode=True), nn.Conv2d(channels, 2 * channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.convolutions(x) + self.shortcut(x)


@MODELS.register_module()
class NASBench201Net(DerivedNet):
    """The backbone of an architecture of NAS-Bench-201 (Dong and Yang, 2020, Sec. 2.1 and Fig. 1).

    The outputs of stages 0, 1 and 2 have C, 2 C and 4 C channels, and the
    strides 1, 2, 4 with the CIFAR stem and 8, 16, 32 with ImageNet's. The last stage
    ends with a norm and a ReLU. Image sides may be odd: a halved side is rounded up.
    With the defaults its parameters are those of the benchmark: an operation that
    was chosen is there even where its edge leads nowhere.

    Args:
        architecture: anything that :func:`resolve_genotype` takes: the path of an
            ``architecture.json``, its content, a name such as ``nasbench201_resnet``, or the benchmark's text.
        channels (int): C of the first stage.
        cells (int): per stage.
        stem (str): ``'cifar'``, one 3x3 convolution, or ``'imagenet'``, three
            of stride 2.
        out_indices (tuple[int]): stages whose output ``forward`` returns.
        norm_cfg (dict): of every normalisation layer.
        norm_eval (bool): keep batch normalisation in evaluation mode.
        frozen_stages (int): -1 freezes nothing, 0 the stem, n also stages 0 to
            n - 1. Frozen parts have no gradient and stay in evaluation mode.
        init_cfg (dict, optional): Kaiming for convolutions by default. With
            ``dict(type='Pretrained', checkpoint=..., prefix='backbone.')`` the
            weights of a classifier of the same architecture are loaded;
            another architecture's are refused.

    Raises:
        GenotypeError: if the architecture is not valid.
        ValueError: if another argument is not.
    """
    joint_config = 'configs/retrain/joint_nasbench201_cifar.py'
    layers_prefix = 'cells.'

    def __init__(self,
                 architecture: Genotype | dict | str | Path | None = None,
                 channels: int = 16,
                 cells: int = 5,
                 stem: str = 'cifar',
                 out_indices: Sequence[int] = (2, ),
                 norm_cfg: dict[str, Any] = dict(type='BN'),  # noqa: B006
                 norm_eval: bool = False,
                 frozen_stages: int = -1,
                 init_cfg: dict | list[dict] | None = None) -> None:
        if init_cfg is None:
            init_cfg = [
                dict(type='Kaiming', layer='Conv2d'),
                dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm'])
            ]
        super().__init__(architecture, out_indices, norm_eval, frozen_stages, init_cfg)
        check_size(channels, cells)
        self.channels, self.cells_per_stage = channels, cells
        self.stem = cell_stem(stem, channels, norm_cfg)
        self.reductions = reductions(cells)
        self.cells = nn.ModuleList()
        for width in self.stage_channels:
            self.cells.extend(Cell(self.genotype.architecture[CELL], width, norm_cfg) for _ in range(cells))
            if width != self.stage_channels[-1]:
                self.cells.append(Reduction(width, norm_cfg))
        self.last = nn.Sequential(build_norm_layer(norm_cfg, self.stage_channels[-1])[1], nn.ReLU())
        self._freeze()

    @property
    def stage_channels(self) -> tuple[int, ...]:
        return stage_widths(self.channels)

    def blocks(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """A cell belongs to the searched cell at its place in the same stage, counted as a share of the stage."""
        searched = (len(names) - STAGES) // STAGES
        modules: dict[str, tuple[str, ...]] = {name: () for name in names}
        modules[names[0]] = ('stem', )
        for i in range(len(self.cells)):
            stage, position = divmod(i, self.cells_per_stage + 1)
            is_reduction = position == self.cells_per_stage
            place = searched if is_reduction else position * searched // self.cells_per_stage
            modules[names[1 + stage * (searched + 1) + place]] += (f'cells.{i}', )
        modules[names[-1]] += ('last', )
        return modules

    def stages(self, x: Tensor, auxiliary: list[Tensor]) -> Stages:
        for part in self.stem:
            x = part(x)
        for i, cell in enumerate(self.cells):
            if i in self.reductions:
                x = yield x
            x = cell(x)
        yield self.last(x)

    def _stage_modules(self, stage: int) -> list[nn.Module]:
        if stage < 0:
            return [self.stem]
        modules = [cell for i, cell in enumerate(self.cells) if sum(i >= start for start in self.reductions) == stage]
        return [*modules, self.last] if stage == STAGES - 1 else modules
