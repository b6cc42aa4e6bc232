"""Builds the derived network of an architecture, whatever its search space."""
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..genotype import Genotype
from ..space_format import format_of
from .derived import DerivedNet


def build_network(genotype: Genotype, **options: Any) -> DerivedNet:
    """A single network. ``shared_networks`` builds the networks of several tasks that share parts."""
    return format_of(genotype.space).network(architecture=replace(genotype, sharing=None), **options)


def shared_options(space: str, search_space: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a search space that its derived network takes as well: its scale, not its choices.

    Args:
        space (str): the space of the genotype.
        search_space (dict): the config of the search space.
    """
    return {name: search_space[name] for name in format_of(space).network_options if name in search_space}
