"""Search spaces of layers one after another: a function that builds an option of a layer declares all of a space."""
import functools
import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from ..genotype import Genotype, Place, check_importance, check_object
from ..layers.normalization import twice_differentiable_norm_cfg
from ..networks.derived import DerivedNet
from ..networks.stage_outputs import Stages
from ..space_format import Candidate, Choice, CostFormat, SpaceFormat, register_space
from .base import SearchSpace

Option = str | int


@dataclass(frozen=True, kw_only=True)
class LayeredSpace:
    """A space in which each layer takes one of its options. :class:`LayeredSupernet` and :class:`LayeredNet` build it.

    An architecture is ``{'layers': [option, ...]}``, first layer to last.

    Args:
        name (str): of the space, in architecture files.
        title (str): of the space, in pictures.
        options (sequence of sequences): per layer the names of its options, text or whole numbers.
        channels (tuple[int]): the channels of each layer's output.
        layer: ``(index, option, norm_cfg) -> Module``, an option of layer ``index``, from 0; ``norm_cfg`` is for its
            norms. All options of a layer return maps of one shape.
        stage_ends (tuple[int], optional): the layers that end a stage, to which ``out_indices`` refer; by default each
            layer is a stage. The last layer must be the last of them.

    Raises:
        ValueError: if a field is not valid.
    """
    name: str
    title: str
    options: Sequence[Sequence[Option]]
    channels: Sequence[int]
    layer: Callable[[int, Option, dict[str, Any] | None], nn.Module]
    stage_ends: Sequence[int] | None = None

    def __post_init__(self) -> None:
        number, field = len(self.options), f'LayeredSpace {self.name!r}'
        for index, options in enumerate(self.options):
            if isinstance(options, str) or len(options) < 2 or len(set(map(str, options))) != len(options) or not all(
                    isinstance(option, str | int) and not isinstance(option, bool) for option in options):
                raise ValueError(f'{field}: options[{index}]={options!r} must be two or more different names, text or '
                                 'whole numbers')
        if not number or len(self.channels) != number:
            raise ValueError(f'{field}: channels={tuple(self.channels)} must have a number for each of the {number} '
                             'layers in options, of which there must be one at least')
        ends = self.ends
        if not ends or ends[-1] != number - 1 or any(a >= b for a, b in itertools.pairwise((-1, *ends))):
            raise ValueError(f'{field}: stage_ends={ends} must be rising indices of layers that end with the last, '
                             f'{number - 1}')

    @property
    def ends(self) -> tuple[int, ...]:
        """The last layer of each stage."""
        return tuple(range(len(self.options)) if self.stage_ends is None else self.stage_ends)

    @property
    def stage_channels(self) -> tuple[int, ...]:
        """The channels of each stage's output."""
        return tuple(self.channels[end] for end in self.ends)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The groups of A: ``layer1`` and so on, with a number per option."""
        return {f'layer{index}': (len(options), ) for index, options in enumerate(self.options, 1)}

    def register(self, network: type['LayeredNet']) -> None:
        """Makes the space known by its name, with ``network`` as its derived network."""
        register_space(SpaceFormat(
            name=self.name, title=self.title, network=network, check=self._check,
            summary=lambda architecture: ' '.join(map(str, architecture['layers'])),
            stages=lambda architecture: len(self.ends),
            blocks=lambda architecture, number: dict(zip(self.shapes, map(str, architecture['layers']), strict=True)),
            choices=lambda architecture: {
                name: [Choice(f'layer {index}', tuple(map(str, options)))]
                for index, (name, options) in enumerate(zip(self.shapes, self.options, strict=True), 1)},
            cost=CostFormat(cover=self.cover, chosen=self.chosen, modules=self.modules)))

    def _check(self, architecture: Any, importance: Any, root: Place) -> None:
        """Refuses anything but an architecture of the space."""
        check_object(architecture, root['architecture'], ('layers', ))
        layers, place = architecture['layers'], root['architecture']['layers']
        if not isinstance(layers, list) or len(layers) != len(self.options):
            place.fail(layers, f'it must be a list of {len(self.options)} options, one per layer')
        for index, (layer, options) in enumerate(zip(layers, self.options, strict=True)):
            if not any(type(layer) is type(option) and layer == option for option in options):
                place[index].fail(layer, f'layer {index + 1} takes one of {", ".join(map(repr, options))}')
        if importance is not None:
            check_importance(importance, self.shapes, root['importance'])

    def chosen(self, architecture: dict[str, Any]) -> list[Candidate]:
        """``(group, index of its option)`` of each layer."""
        return [(name, list(options).index(layer)) for name, options, layer in zip(
            self.shapes, self.options, architecture['layers'], strict=True)]

    def cover(self, architecture: dict[str, Any]) -> list[dict[str, Any]]:
        """Architectures that have every option of every layer."""
        return [dict(layers=[options[min(i, len(options) - 1)] for options in self.options])
                for i in range(max(map(len, self.options)))]

    def modules(self, network: 'LayeredNet') -> dict[str, Candidate]:
        """The module of each layer of a derived network, and its candidate."""
        return {f'layers.{i}': candidate for i, candidate in enumerate(self.chosen(network.genotype.architecture))}


class MixedOptions(nn.Module):
    """A searched layer: ``sum_o gate_o * o(x)`` over its options."""

    def __init__(self, options: Sequence[nn.Module]) -> None:
        super().__init__()
        self.options = nn.ModuleList(options)

    def forward(self, x: Tensor, gate: Tensor) -> Tensor:
        """[N, C, H, W], gates [options] -> a map of the layer's width."""
        return functools.reduce(operator.add, (
            weight * option(x) for weight, option in zip(gate.unbind(), self.options, strict=True)))


class LayeredSupernet(SearchSpace):
    """The supernet of a :class:`LayeredSpace`, its attribute ``space``: a backbone with pyramid features.

    Args:
        out_indices (tuple[int], optional): stages whose output ``forward`` returns; the last stage by default.
        norm_cfg (dict): handed to the options; batch statistics without affine parameters by default.

    Raises:
        ValueError: if ``out_indices`` has a stage that the space has not.
    """
    space: ClassVar[LayeredSpace]

    def __init__(self, out_indices: Sequence[int] | None = None,
                 norm_cfg: dict[str, Any] | None = dict(  # noqa: B006
                     type='BN', affine=False, track_running_stats=False),
                 init_cfg: dict[str, Any] | None = None) -> None:
        super().__init__(init_cfg)
        number = len(self.space.ends)
        self.out_indices = (number - 1, ) if out_indices is None else tuple(out_indices)
        if not self.out_indices or set(self.out_indices) - set(range(number)):
            raise ValueError(f'out_indices={out_indices!r}: {self.space.name} has stages 0 to {number - 1}')
        norm_cfg = twice_differentiable_norm_cfg(norm_cfg)
        self.layers = nn.ModuleList(
            MixedOptions([self.space.layer(index, option, norm_cfg) for option in options])
            for index, options in enumerate(self.space.options))
        self.register_gates()

    @property
    def stage_channels(self) -> tuple[int, ...]:
        return self.space.stage_channels

    def alpha_shapes(self) -> dict[str, tuple[int, ...]]:
        return self.space.shapes

    def blocks(self) -> dict[str, tuple[str, ...]]:
        return {name: (f'layers.{i}', ) for i, name in enumerate(self.space.shapes)}

    def stages(self, x: Tensor) -> Stages:
        for index, (name, layer) in enumerate(zip(self.space.shapes, self.layers, strict=True)):
            x = self.block(layer, x, self.gates[name])
            if index in self.space.ends:
                x = yield x

    def derive(self, alphas: Mapping[str, Tensor]) -> Genotype:
        """Each layer keeps the option of its largest alpha."""
        layers = [options[int(alphas[name].argmax())] for name, options in zip(
            self.space.shapes, self.space.options, strict=True)]
        importance = {name: weights.tolist() for name, weights in self.importance(alphas).items()}
        return Genotype(self.space.name, dict(layers=layers), importance)


class LayeredNet(DerivedNet):
    """The derived network of a :class:`LayeredSpace`, its attribute ``space``.

    Args:
        architecture: of the space.
        norm_cfg (dict): handed to the options.
        options: of :class:`DerivedNet`.
    """
    space: ClassVar[LayeredSpace]

    def __init__(self, architecture: Genotype | dict[str, Any] | str | Path | None = None,
                 norm_cfg: dict[str, Any] | None = dict(type='BN'), **options: Any) -> None:  # noqa: B006
        super().__init__(architecture, **options)
        self.layers = nn.ModuleList(
            self.space.layer(index, option, norm_cfg)
            for index, option in enumerate(self.genotype.architecture['layers']))
        self._freeze()

    @property
    def stage_channels(self) -> tuple[int, ...]:
        return self.space.stage_channels

    def blocks(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        return {name: (f'layers.{i}', ) for i, name in enumerate(names)}

    def _stage_modules(self, stage: int) -> Sequence[nn.Module]:
        if stage < 0:
            return []
        begin = self.space.ends[stage - 1] + 1 if stage else 0
        return [self.layers[i] for i in range(begin, self.space.ends[stage] + 1)]

    def stages(self, x: Tensor, auxiliary: list[Tensor]) -> Stages:
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in self.space.ends:
                x = yield x
