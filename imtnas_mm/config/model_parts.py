"""Finds the parts of a model's config, and the parameters that their registered classes take."""
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.registry import MODELS


def part_class(part: Mapping[str, Any], scope: str | None) -> type | None:
    """The registered class of a part of a model; None if there is none, or its type is no name.

    Args:
        part (dict): config with ``type``.
        scope (str): the library in which names are looked up.
    """
    kind = part.get('type')
    if isinstance(kind, str):
        with MODELS.switch_scope_and_registry(scope) as registry:
            kind = registry.get(kind)
    return kind if isinstance(kind, type) else None


def parameter(kind: type | None, name: str) -> inspect.Parameter | None:
    """The parameter of a class, also where ``**kwargs`` hands it on to a base class; None without one."""
    for base in kind.__mro__ if kind else ():
        if '__init__' in vars(base):
            parameters = inspect.signature(base.__init__).parameters
            if name in parameters:
                return parameters[name]
            if all(other.kind is not other.VAR_KEYWORD for other in parameters.values()):
                return None
    return None


def parts_named(config: Any, names: tuple[str, ...], place: str) -> Iterator[tuple[str, Any]]:
    """(place, part) of a model's config, wherever a key is one of ``names``; the backbone is left out."""
    if isinstance(config, Mapping):
        for key, value in config.items():
            if key == 'backbone':
                continue
            for where, part in members(value, f'{place}.{key}'):
                if key in names and isinstance(part, Mapping):
                    yield where, part
                yield from parts_named(part, names, where)


def members(value: Any, place: str) -> list[tuple[str, Any]]:
    """(place, item) of a list; of any other value, the value itself."""
    if isinstance(value, (list, tuple)):
        return [(f'{place}[{i}]', item) for i, item in enumerate(value)]
    return [(place, value)]
