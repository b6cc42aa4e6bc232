"""The supernet of the MBConv search spaces: FairNAS-19, ProxylessNAS-21, and any layout that a config defines."""
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ...architecture import one_hot
from ...genotype import Genotype
from ...layers.activation import twice_differentiable_act_cfg
from ...layers.noise import gumbel
from ...layers.normalization import twice_differentiable_norm_cfg
from ...networks.stage_outputs import Stages
from ...registry import MODELS
from ..base import SearchSpace, call
from .architecture import mbconv_genotype
from .blocks import activation_of, last_convolution, mbconv, stem_and_first
from .layout import Layer, by_stage, get_layout, mbconv_blocks, searched_layers, stage_widths

ESTIMATORS = ('softmax', 'two_path', 'gumbel')


class MixedLayer(nn.Module):
    """A searched layer: ``sum_o gate_o * o(x)`` over its choices."""

    def __init__(self, layer: Layer, norm_cfg: dict[str, Any] | None, act_cfg: dict[str, Any] | None) -> None:
        super().__init__()
        self.choices = nn.ModuleDict(
            {choice: mbconv(layer, choice, norm_cfg, act_cfg) for choice in layer.choices})

    def forward(self, x: Tensor, gate: Tensor, chosen: Iterable[int] | None = None) -> Tensor:
        """[N, C, H, W] -> a map of the layer's width.

        Args:
            x (Tensor): the input.
            gate (Tensor): [choices].
            chosen (iterable of int, optional): the indices of the choices that
                are computed; all by default.
        """
        choices = list(self.choices.values())
        gates = gate.unbind()  # not indices, whose gradients are padded with zeros
        parts = (gates[i] * choices[i](x) for i in (range(len(choices)) if chosen is None else chosen))
        return functools.reduce(torch.add, parts)


@MODELS.register_module()
class MBConvSupernet(SearchSpace):
    """The supernet of an MBConv space, a backbone with pyramid features.

    Args:
        layout (str | dict): ``fairnas19`` (19 searched layers, the default,
            reading 9), ``proxyless21``, or a dict of the fields of
            :class:`Layout`. Architectures of a dict belong to the space
            ``mbconv``. Their files record the layout, so that nothing needs
            the config to read them.
        width_mult (float): multiplies every width.
        stem_stride (int): 2, or 1 for small images.
        strides (tuple[int], optional): the strides of the stages; the layout's
            by default.
        out_indices (tuple[int], optional): stages whose output ``forward``
            returns; the last stage by default. A stage is a group of layers of
            the same width; stages count from 0. At the strides of its layout,
            the outputs of FairNAS-19 after stages 0, 1, 3 and 5 have strides 4,
            8, 16, 32.
        norm_cfg (dict): batch statistics without affine parameters by default
            (reading 8); ``dict(type='GN', num_groups=8)`` for tiny batches.
        act_cfg (dict, optional): the activation of the convolutions; the
            layout's by default.
        estimator (str): how A weighs the paths.

            - ``softmax``: all choices, weighted by the softmax of their alphas.
            - ``two_path``: two choices per layer, drawn without replacement
              from that softmax and weighted by the softmax over the two
              (ProxylessNAS, Sec. 3.2.1). After A's step, the two alphas are
              shifted together to their log-sum-exp before the step; the other
              alphas stay. So no unsampled choice gains or loses probability.
            - ``gumbel``: a single choice per layer, the largest of alpha plus
              Gumbel noise, with the straight-through gradient of the softmax
              at ``temperature``. It is not differentiable in A in the strict
              sense.
        temperature (float): the temperature of ``gumbel``.

    Raises:
        ValueError: if an argument is not valid.
    """

    def __init__(self,
                 layout: str | dict[str, Any] = 'fairnas19',
                 width_mult: float = 1.,
                 stem_stride: int = 2,
                 strides: Sequence[int] | None = None,
                 out_indices: Sequence[int] | None = None,
                 norm_cfg: dict[str, Any] | None = dict(  # noqa: B006
                     type='BN', affine=False, track_running_stats=False),
                 act_cfg: dict[str, Any] | None = None,
                 estimator: str = 'softmax',
                 temperature: float = 1.,
                 init_cfg: dict[str, Any] | None = None) -> None:
        super().__init__(init_cfg)
        if estimator not in ESTIMATORS:
            raise ValueError(f'estimator={estimator!r} is not one of {ESTIMATORS}')
        if temperature <= 0:
            raise ValueError(f'temperature={temperature} must be positive')
        table = get_layout(layout)
        out_indices = (len(table.widths) - 1, ) if out_indices is None else out_indices
        bad = [i for i in out_indices if not 0 <= i < len(table.widths)]
        if bad:
            raise ValueError(f'out_indices={tuple(out_indices)}: {table.name} has stages 0 to {len(table.widths) - 1}')
        self.layout, self.width_mult = table, width_mult
        self.records_layout = not isinstance(layout, str)
        self.out_indices = tuple(out_indices)
        self.estimator = estimator
        self.temperature = temperature
        self.searched = searched_layers(table, width_mult, strides)
        norm_cfg = twice_differentiable_norm_cfg(norm_cfg)
        act_cfg = twice_differentiable_act_cfg(activation_of(table, act_cfg))
        self.stem, self.first = stem_and_first(table, width_mult, stem_stride, norm_cfg, act_cfg)
        self.layers = nn.ModuleDict(
            {layer.name: MixedLayer(layer, norm_cfg, act_cfg) for layer in self.searched})
        self.last = last_convolution(table, self.searched[-1].out_channels, width_mult, norm_cfg, act_cfg)
        self._names = {  # (layer, choice) -> the names of its parameters
            (name, choice): [f'layers.{name}.choices.{choice}.{inside}' for inside, _ in part.named_parameters()]
            for name in self.layers for choice, part in self.mixed_layer(name).choices.items()}
        self.register_gates()

    def mixed_layer(self, name: str) -> MixedLayer:
        return cast(MixedLayer, self.layers[name])

    @property
    def samples(self) -> bool:
        return self.estimator != 'softmax'

    def unused(self, on_host: Mapping[str, np.ndarray]) -> frozenset[str]:
        """The parameters of the choices that are not computed."""
        if not self.samples:
            return frozenset()
        names: set[str] = set()
        for layer in self.searched:
            chosen = on_host[f'gates.{layer.name}'] != 0
            for choice, is_chosen in zip(layer.choices, chosen, strict=True):
                if not is_chosen:
                    names.update(self._names[layer.name, choice])
        return frozenset(names)

    def alpha_shapes(self) -> dict[str, tuple[int, ...]]:
        return {layer.name: (len(layer.choices), ) for layer in self.searched}

    def blocks(self) -> dict[str, tuple[str, ...]]:
        return mbconv_blocks(self.layout)

    def draw(self, alphas: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """``two_path``: the two indices of each layer; ``gumbel``: standard Gumbel noise for each alpha."""
        if self.estimator == 'two_path':
            return {name: alpha.softmax(-1).multinomial(2, generator=generator) for name, alpha in alphas.items()}
        if self.estimator == 'gumbel':
            return {name: gumbel(alpha, generator) for name, alpha in alphas.items()}
        return {}

    def gate_tensors(self, alphas: Mapping[str, Tensor], draw: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if self.estimator == 'two_path':
            return {f'gates.{name}': torch.zeros_like(alpha).scatter(0, draw[name], alpha[draw[name]].softmax(0))
                    for name, alpha in alphas.items()}
        if self.estimator == 'gumbel':
            return {f'gates.{name}': straight_through(((alpha + draw[name]) / self.temperature).softmax(0))
                    for name, alpha in alphas.items()}
        return super().gate_tensors(alphas, draw)

    def evaluation_gates(self, alphas: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The gates of the mixture; for an estimator that samples, those of the likeliest path."""
        if self.estimator == 'softmax':
            return super().evaluation_gates(alphas)
        return {f'gates.{name}': one_hot(alpha).to(alpha) for name, alpha in alphas.items()}

    @torch.no_grad()
    def after_architecture_step(self, before: Mapping[str, Tensor], alphas: Mapping[str, Tensor],
                                draw: Mapping[str, Tensor]) -> None:
        if self.estimator != 'two_path':
            return
        for name, alpha in alphas.items():
            pair = draw[name]
            stepped = alpha[pair]
            stepped += before[name][pair].logsumexp(0) - stepped.logsumexp(0)
            alpha.copy_(before[name].scatter(0, pair, stepped))

    def derive(self, alphas: Mapping[str, Tensor]) -> Genotype:
        """Each layer keeps its largest alpha (the paper's "largest variable values", Sec. 3.1.4)."""
        choices = [layer.choices[int(alphas[layer.name].argmax())] for layer in self.searched]
        importance = {name: weights.tolist() for name, weights in self.importance(alphas).items()}
        return mbconv_genotype(self.layout, choices, importance, self.records_layout)

    @property
    def channels_last(self) -> bool:
        """Whether CPUs compute in channels-last layout, in which depthwise convolutions take about half the time.

        Affine batch normalisation rules it out: its gradients in this layout were NaN on CPUs.
        """
        norm = self.stem.norm
        return norm.weight is None if isinstance(norm, nn.BatchNorm2d) else True

    @property
    def stage_channels(self) -> tuple[int, ...]:
        return stage_widths(self.layout, self.searched, self.width_mult)

    def stages(self, x: Tensor) -> Stages:
        if x.device.type == 'cpu' and self.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        for module in (self.stem, self.first):
            x = self.block(module, x)
        for layers in by_stage(self.searched):
            for layer in layers:
                chosen = self.gates.chosen(layer.name).nonzero()[0] if self.samples else None
                x = self.block(
                    self.layers[layer.name], x, self.gates[layer.name], function=functools.partial(call, chosen=chosen))
            if self.last is not None and layers[-1] is self.searched[-1]:
                x = self.block(self.last, x)
            x = yield x


def straight_through(soft: Tensor) -> Tensor:
    """Forward the one-hot of the largest value, backward the gradient of ``soft``; zeros are exact."""
    hard = one_hot(soft.detach())
    # where() instead of hard - soft.detach() + soft: values are exactly 0 or exactly 1
    return torch.where(hard.bool(), 1 + (soft - soft.detach()), soft * 0)
