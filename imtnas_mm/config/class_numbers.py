"""Fills in the class names and ``num_classes`` that a config leaves to its data."""
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..datasets import DataError, class_names
from .model_parts import members, parameter, part_class, parts_named

HEADS = ('head', 'bbox_head', 'mask_head')  # the parts that may leave num_classes out


def fill_classes(models: Mapping[str, Any], datasets: Mapping[str, dict[str, Any]], scope: str | None) -> None:
    """Fill in a task's missing class names and numbers of classes from its data, in place.

    Every ``num_classes`` of None gets the number of the classes, and so does a head that has none. Datasets with
    ``metainfo.classes`` of None get the names of the first dataset, so that all number them alike. Nothing is read
    unless something is left out. Without class names, a part with a default keeps it.

    Args:
        models (dict): place in the config -> config, of the model and its preprocessor.
        datasets (dict): place in the config -> config; the first is asked for the names.
        scope (str): the library of the task.

    Raises:
        DataError: the data can't be used; or they have no class names, and a part has no default.
    """
    numbers = [number for place, model in models.items() for number in without_number(model, scope, place)]
    unnamed = [part for place, dataset in datasets.items() for part in without_names(dataset)]
    if not (numbers or unnamed) or not datasets:
        return
    field, first = next(iter(datasets.items()))
    names = class_names(first, scope, field)
    if names is None:
        for place, _, required in numbers:
            if required:
                raise DataError(f'{place}.num_classes: is missing, and {field} has no class names from which it could '
                                f'be taken; set it, or {field}.metainfo.classes')
        return
    for _, part, _ in numbers:
        part['num_classes'] = len(names)
    for metainfo in unnamed:
        metainfo['classes'] = names


def without_number(config: Any, scope: str | None, place: str) -> Iterator[tuple[str, Any, bool]]:
    """(place, part, whether its class has no default) of each part of a model without its ``num_classes``."""
    heads = {where for where, _ in parts_named(config, HEADS, place)}
    for where, part in _dicts(config, place):
        if part.get('num_classes') is None and ('num_classes' in part or where in heads):
            taken = parameter(part_class(part, scope), 'num_classes')
            if taken is not None or 'num_classes' in part:
                yield where, part, taken is not None and taken.default is taken.empty


def without_names(dataset: Any) -> Iterator[Any]:
    """Each ``metainfo`` in a dataset's config, also of a wrapped one, whose ``classes`` are None."""
    if isinstance(dataset, Mapping):
        metainfo = dataset.get('metainfo')
        if isinstance(metainfo, Mapping) and 'classes' in metainfo and metainfo['classes'] is None:
            yield metainfo
        for key in ('dataset', 'datasets'):
            inner = dataset.get(key)
            for part in inner if isinstance(inner, Sequence) else [inner]:
                yield from without_names(part)


def _dicts(config: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(config, Mapping):
        yield place, config
        for key, value in config.items():
            if key != 'backbone':
                for where, part in members(value, f'{place}.{key}'):
                    yield from _dicts(part, where)
