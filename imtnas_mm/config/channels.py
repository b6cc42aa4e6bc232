"""Fills in the channels of necks and heads from the search space, and checks those that a config has."""
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from ..genotype import resolve_genotype
from ..networks.derived import DerivedNet
from ..spaces.base import SearchSpace
from .model_parts import members, parameter, part_class

HEADS = ('head', 'bbox_head', 'rpn_head')
_stages: dict[tuple[type, str], tuple[Sequence[int], Sequence[int]]] = {}  # of networks that were built before


def backbone_channels(backbone: Mapping[str, Any], scope: str | None) -> tuple[int, ...] | None:
    """The channels of the feature maps of a supernet or a derived network, in the order of depth.

    It is built without values, on PyTorch's meta device, once per process.

    Args:
        backbone (dict): its config.
        scope (str): the library in which its type is looked up.

    Returns:
        tuple[int] | None: None for another backbone, a space without stages, and ``out_indices`` that the backbone
        itself refuses.

    Raises:
        GenotypeError: the architecture is not valid.
        ValueError: another option is not valid.
    """
    kind = part_class(backbone, scope)
    if kind is None or not issubclass(kind, (DerivedNet, SearchSpace)):
        return None
    options = {name: value for name, value in backbone.items() if name not in ('type', '_scope_', 'out_indices')}
    if options.get('architecture') is not None:
        options['architecture'] = replace(resolve_genotype(options['architecture']), sharing=None)
    key = kind, str(options)
    stages = _stages.get(key) or _stages_of(kind, options)
    if stages is None:
        return None
    if issubclass(kind, SearchSpace) or 'architecture' in options:  # else a checkpoint has it, which may change
        _stages[key] = stages
    widths, last = stages
    indices = sorted(backbone.get('out_indices') or last)
    return tuple(widths[i] for i in indices) if set(indices) <= set(range(len(widths))) else None


def _stages_of(kind: type, options: dict[str, Any]) -> tuple[Sequence[int], Sequence[int]] | None:
    """(channels of the stages, indices of those that come out by default); None for a space without stages."""
    with torch.device('meta'):
        network: Any = kind(**options)
    try:
        return network.stage_channels, network.out_indices
    except NotImplementedError:
        return None


def fill_channels(model: Any, channels: Sequence[int], scope: str | None, place: str) -> None:
    """Fill in ``in_channels`` of a model's neck and heads where they are missing or None, in place.

    The first neck gets the channels of the backbone, a list of several or a number as it takes them; each further neck
    and the heads get the ``out_channels`` of the neck before. Without a neck, and behind one that only pools, a head
    gets the channels of the last map. Behind a neck that states no ``out_channels`` nothing is known.

    Args:
        model (dict): config of a detector or classifier.
        channels (tuple[int]): of the backbone's maps.
        scope (str): the library in which names are looked up.
        place (str): of ``model`` in the config.

    Raises:
        ValueError: the config has other channels; it names the field and the right value.
    """
    maps: tuple[int, ...] | None = tuple(channels)  # those of the backbone; of a neck one number for all its maps
    source = 'the maps of the backbone'
    for i, (where, neck) in enumerate(members(model.get('neck') or [], f'{place}.neck')):
        taken = parameter(part_class(neck, scope), 'in_channels')
        if taken is not None and maps is not None:
            _fill(neck, maps, _takes_one(taken, maps) or i > 0, where, source)
        out = neck.get('out_channels')
        if taken is not None or out is not None:
            maps = (out, ) if isinstance(out, int) else None
            source = f'the maps of {where}'
    for name in HEADS:
        head = model.get(name)
        taken = parameter(part_class(head, scope), 'in_channels') if isinstance(head, Mapping) else None
        if taken is not None and maps is not None and (name == 'head' or len(maps) == 1):
            _fill(head, maps[-1:], True, f'{place}.{name}', source)


def _takes_one(taken: inspect.Parameter, maps: tuple[int, ...]) -> bool:
    """Whether a neck takes a number: some declare it, others leave it open."""
    return taken.annotation in (int, 'int') or len(maps) == 1 and taken.annotation is taken.empty


def _fill(part: Any, maps: tuple[int, ...], single: bool, place: str, source: str) -> None:
    stated = part.get('in_channels')
    right: Any = maps[-1] if single else list(maps)
    if stated is None:
        part['in_channels'] = right
    elif isinstance(stated, int) == single and (stated if single else list(stated)) != right:
        raise ValueError(f'{place}.in_channels={stated!r}: {source} have {right} channels; set it to {right}, or leave '
                         'it out')
