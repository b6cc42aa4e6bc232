"""The derived network of any genotype."""
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from ..genotype import Genotype
from ..space_format import format_of


def build_network(genotype: Genotype, **options: Any) -> nn.Module:
    """One network by itself; those of several tasks that share parts are built by ``shared_networks``."""
    return format_of(genotype.space).network(architecture=replace(genotype, sharing=None), **options)


def shared_options(space: str, search_space: Mapping[str, Any]) -> dict[str, Any]:
    """What a search space's config says of the derived network too (its scale, not its choices).

    Args:
        space (str): of the genotype.
        search_space (dict): the config of the search space.
    """
    return {name: search_space[name] for name in format_of(space).network_options if name in search_space}
