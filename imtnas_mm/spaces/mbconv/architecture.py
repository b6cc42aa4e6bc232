"""The architectures of the MBConv spaces: their fields, their checks and their summary.

``{'layers': [choice, ...]}`` has a choice per searched layer, first to last. The
space ``mbconv`` is for layouts that a config defines. Its architectures have
another field, ``layout``: the fields of :class:`Layout`.
"""
from typing import Any

from ...genotype import Genotype, Place, check_importance, check_object
from ...space_format import Candidate, Choice
from .layout import (
    IDENTITY,
    LAYOUTS,
    PROJECTION,
    Layout,
    kernel_and_expansion,
    mbconv_blocks,
    read_layout,
    searched_layers,
)

RECORDED = 'mbconv'  # the space of the architectures that record their layout


def mbconv_genotype(layout: Layout, choices: list[str], importance: dict[str, Any] | None,
                    records_layout: bool) -> Genotype:
    """The genotype of these choices; its space is the layout's, or ``mbconv``, which records the layout."""
    if records_layout:
        return Genotype(RECORDED, dict(layout=layout.to_dict(), layers=choices), importance)
    return Genotype(layout.name, dict(layers=choices), importance)


def layout_of(space: str, architecture: dict[str, Any]) -> Layout:
    """The layout of an architecture: the layout that it records, or the layout of its space."""
    recorded = architecture.get('layout')
    return LAYOUTS[space] if recorded is None else read_layout(recorded, Place('architecture', 'layout'))


def check_layers(layout: Layout, architecture: Any, importance: Any, root: Place) -> None:
    """Refuses anything but an architecture of a named layout."""
    check_object(architecture, root['architecture'], ('layers', ))
    _check_choices(layout, architecture['layers'], importance, root)


def check_recorded(architecture: Any, importance: Any, root: Place) -> None:
    """Refuses anything but an architecture that records its layout."""
    check_object(architecture, root['architecture'], ('layout', 'layers'))
    layout = read_layout(architecture['layout'], root['architecture']['layout'])
    _check_choices(layout, architecture['layers'], importance, root)


def _check_choices(layout: Layout, choices: Any, importance: Any, root: Place) -> None:
    layers, place = searched_layers(layout), root['architecture']['layers']
    if not isinstance(choices, list) or len(choices) != len(layers):
        content = f'{len(choices)} of them' if isinstance(choices, list) else type(choices).__name__
        place.fail(choices, f'{layout.name} takes a list of {len(layers)} choices, one per layer, not {content}')
    for i, (choice, layer) in enumerate(zip(choices, layers, strict=True)):
        if choice not in layer.choices:
            place[i].fail(choice, f'{layer.name} of {layout.name} takes one of {", ".join(layer.choices)}')
    if importance is not None:
        check_importance(importance, {layer.name: (len(layer.choices), ) for layer in layers}, root['importance'])


def summarise(architecture: dict[str, Any]) -> str:
    """``3x3e6 identity 5x5e3 ...``; the name of a recorded layout stands before it."""
    choices = ' '.join(choice.removeprefix('mbconv_').replace('_', '') for choice in architecture['layers'])
    return f'{architecture["layout"]["name"]}: {choices}' if 'layout' in architecture else choices


def chosen_candidates(layout: Layout, architecture: dict[str, Any]) -> list[Candidate]:
    """``(layer, index of its choice)`` of each layer."""
    return [(layer.name, layer.choices.index(choice))
            for layer, choice in zip(searched_layers(layout), architecture['layers'], strict=True)]


def covering(layout: Layout, architecture: dict[str, Any]) -> list[dict[str, Any]]:
    """Architectures of the layout that have every choice of every layer."""
    layers = searched_layers(layout)
    return [dict(architecture, layers=[layer.choices[min(i, len(layer.choices) - 1)] for layer in layers])
            for i in range(max(len(layer.choices) for layer in layers))]


def layer_label(choice: str) -> str:
    """``'mbconv_5x5_e3'`` -> ``'MBConv3 5×5'``, the notation of the papers."""
    if choice in (IDENTITY, PROJECTION):
        return choice
    kernel, expansion = kernel_and_expansion(choice)
    return f'MBConv{expansion} {kernel}×{kernel}'


def block_labels(layout: Layout, architecture: dict[str, Any]) -> dict[str, str]:
    """The label of each block of a network."""
    first = 'Conv' if layout.first_width is None else 'Conv, SepConv'
    return dict(zip(mbconv_blocks(layout), [first, *map(layer_label, architecture['layers'])], strict=True))


def choice_names(layout: Layout, architecture: dict[str, Any]) -> dict[str, list[Choice]]:
    """The layers and their blocks."""
    return {layer.name: [Choice(f'layer {i}', tuple(map(layer_label, layer.choices)))]
            for i, layer in enumerate(searched_layers(layout), 1)}
