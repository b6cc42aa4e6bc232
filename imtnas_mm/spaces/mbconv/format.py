"""Registers the MBConv spaces: one per named layout, and one for the layouts that configs give."""
from collections.abc import Mapping
from functools import partial
from typing import Any

from ...space_format import Candidate, CostFormat, SpaceFormat, register_space
from .architecture import (
    RECORDED,
    block_labels,
    check_layers,
    check_recorded,
    choice_names,
    chosen_candidates,
    covering,
    layout_of,
    summarise,
)
from .digits import from_digits, to_digits
from .layout import LAYOUTS, Layout
from .network import MBConvNet
from .picture import draw_mbconv
from .published import FAIRNAS

NETWORK_OPTIONS = ('width_mult', 'stem_stride', 'strides')


def candidate_modules(network: MBConvNet) -> dict[str, Candidate]:
    """The module of each layer of a derived network, and its choice."""
    chosen = chosen_candidates(network.layout, network.genotype.architecture)
    return {f'layers.{name}': (name, index) for name, index in chosen}


def register_layout(layout: Layout, title: str, published: Mapping[str, dict] | None = None,
                    digits: bool = False) -> None:
    """Registers a layout by its name: as ``layout`` of :class:`MBConvSupernet`, and as a search space.

    Args:
        layout (Layout): its name is also the name of the space.
        title (str): the name of the space in pictures.
        published (dict[str, dict], optional): architectures by name.
        digits (bool): whether architectures are written as digits, too, see ``digits.py``.
    """
    register_space(SpaceFormat(
        name=layout.name,
        title=title,
        network=MBConvNet,
        network_options=NETWORK_OPTIONS,
        check=partial(check_layers, layout),
        summary=summarise,
        stages=lambda architecture: len(layout.widths),
        blocks=lambda architecture, number: block_labels(layout, architecture),
        published=published or {},
        to_string=partial(to_digits, layout) if digits else None,
        from_string=partial(from_digits, layout) if digits else None,
        choices=partial(choice_names, layout),
        draw=partial(draw_mbconv, layout, title),
        cost=CostFormat(cover=partial(covering, layout), chosen=partial(chosen_candidates, layout),
                        modules=candidate_modules)))
    LAYOUTS[layout.name] = layout


def _layout(architecture: dict[str, Any]) -> Layout:
    return layout_of(RECORDED, architecture)


register_layout(LAYOUTS['fairnas19'], 'FairNAS-19', FAIRNAS)
register_layout(LAYOUTS['proxyless21'], 'ProxylessNAS-21')
register_layout(LAYOUTS['nasbench_macro'], 'NAS-Bench-Macro', digits=True)
register_space(SpaceFormat(
    name=RECORDED,
    title='MBConv',
    network=MBConvNet,
    network_options=NETWORK_OPTIONS,
    recorded_options=('layout', ),
    check=check_recorded,
    summary=summarise,
    stages=lambda architecture: len(architecture['layout']['widths']),
    blocks=lambda architecture, number: block_labels(_layout(architecture), architecture),
    choices=lambda architecture: choice_names(_layout(architecture), architecture),
    draw=lambda genotype, title, **options: draw_mbconv(
        layout := _layout(genotype.architecture), f'MBConv: {layout.name}', genotype, title, **options),
    cost=CostFormat(
        cover=lambda architecture: covering(_layout(architecture), architecture),
        chosen=lambda architecture: chosen_candidates(_layout(architecture), architecture),
        modules=candidate_modules)))
