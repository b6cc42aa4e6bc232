"""The derived network of an MBConv architecture, as a backbone."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ...genotype import Genotype
from ...networks.derived import DerivedNet
from ...networks.stage_outputs import Stages
from ...registry import MODELS
from .architecture import layout_of
from .blocks import activation_of, last_convolution, mbconv, stem_and_first
from .layout import by_stage, mbconv_blocks, searched_layers, stage_widths


@MODELS.register_module()
class MBConvNet(DerivedNet):
    """The backbone of an architecture of an MBConv space.

    A stage is a group of layers of the same width; stages count from 0. At the
    strides of its layout, the outputs of FairNAS-19 after stages 0, 1, 3 and 5
    have strides 4, 8, 16, 32 and 32, 40, 96, 320 channels.

    Args:
        architecture: anything that :func:`resolve_genotype` takes: the path of
            an ``architecture.json``, its content, or a name such as
            ``fairnas_a``.
        width_mult (float): multiplies every width (rounded to a multiple of 8).
        stem_stride (int): 2, or 1 for small images.
        strides (tuple[int], optional): the strides of the stages; the layout's
            by default.
        out_indices (tuple[int], optional): stages whose output ``forward``
            returns; the last stage by default.
        se_ratio (float, optional): squeeze-and-excitation in every searched
            layer, squeezed to this share of the layer's input channels. 1 is
            for FairNAS-A/B/C-SE (Chu et al., 2019). None switches it off.
        norm_cfg (dict): the config of every normalisation layer.
        act_cfg (dict, optional): the activation of the convolutions; the
            layout's by default.
        norm_eval (bool): keep batch normalisation in evaluation mode.
        frozen_stages (int): -1 freezes nothing, 0 the stem and the separable
            convolution, n also stages 0 to n - 1. Frozen parts have no
            gradient and stay in evaluation mode.
        init_cfg (dict, optional): Kaiming for convolutions by default.
            ``dict(type='Pretrained', checkpoint=..., prefix='backbone.')``
            loads the weights of a classifier of the same architecture. The
            weights of another architecture are refused.

    Raises:
        GenotypeError: if the architecture is not valid.
        ValueError: if another argument is not valid.
    """
    joint_config = 'configs/retrain/joint_mbconv_cls_det.py'

    def __init__(self,
                 architecture: Genotype | dict[str, Any] | str | Path | None = None,
                 width_mult: float = 1.,
                 stem_stride: int = 2,
                 strides: Sequence[int] | None = None,
                 out_indices: Sequence[int] | None = None,
                 se_ratio: float | None = None,
                 norm_cfg: dict[str, Any] | None = dict(type='BN'),  # noqa: B006
                 act_cfg: dict[str, Any] | None = None,
                 norm_eval: bool = False,
                 frozen_stages: int = -1,
                 init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None) -> None:
        if se_ratio is not None and not 0 < se_ratio <= 1:
            raise ValueError(f'se_ratio={se_ratio!r} must be above 0 and at most 1, or None')
        if init_cfg is None:
            init_cfg = [
                dict(type='Kaiming', layer='Conv2d'),
                dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm'])
            ]
        super().__init__(architecture, out_indices, norm_eval, frozen_stages, init_cfg)
        table = layout_of(self.genotype.space, self.genotype.architecture)
        self.layout, self.width_mult = table, width_mult
        self.searched = searched_layers(table, width_mult, strides)
        act_cfg = activation_of(table, act_cfg)
        self.stem, self.first = stem_and_first(table, width_mult, stem_stride, norm_cfg, act_cfg)
        self.layers = nn.ModuleDict({
            layer.name: mbconv(layer, choice, norm_cfg, act_cfg, se_ratio=se_ratio)
            for layer, choice in zip(self.searched, self.genotype.architecture['layers'], strict=True)
        })
        self.last = last_convolution(table, self.searched[-1].out_channels, width_mult, norm_cfg, act_cfg)
        self._freeze()

    def blocks(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        return {name: paths for name, paths in mbconv_blocks(self.layout).items() if name in names}

    @property
    def stage_channels(self) -> tuple[int, ...]:
        return stage_widths(self.layout, self.searched, self.width_mult)

    def stages(self, x: Tensor, auxiliary: list[Tensor]) -> Stages:
        x = self.first(self.stem(x))
        for layers in by_stage(self.searched):
            for layer in layers:
                x = self.layers[layer.name](x)
            if self.last is not None and layers[-1] is self.searched[-1]:
                x = self.last(x)
            x = yield x

    def _stage_modules(self, stage: int) -> list[nn.Module]:
        if stage < 0:
            return [self.stem, self.first]
        modules = [self.layers[layer.name] for layer in self.searched if layer.stage == stage]
        return [*modules, self.last] if self.last is not None and stage == self.searched[-1].stage else modules
