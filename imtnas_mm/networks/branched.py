"""The derived networks of a searched branching (BMTAS): tasks share some blocks of their backbones."""
from collections.abc import Mapping
from typing import Any

from ..genotype import Genotype, sharing_of
from .build import build_network
from .derived import DerivedNet


def branched_networks(genotype: Genotype, task_options: Mapping[str, Mapping[str, Any]]) -> dict[str, DerivedNet]:
    """The backbone of each task. Tasks that use the same copy of a block hold the same modules.

    They share its weights and the statistics of its batch norms.

    Args:
        genotype (Genotype): its ``sharing`` is of the method ``branching``.
        task_options (dict[str, dict]): task -> options of its derived network.

    Returns:
        dict[str, DerivedNet]: task -> backbone.

    Raises:
        ValueError: if the genotype has no ``sharing``.
    """
    sharing = sharing_of(genotype)
    networks = [build_network(genotype, **task_options[task]) for task in sharing['tasks']]
    paths = networks[0].blocks(list(sharing['blocks']))
    for block, copies in sharing['blocks'].items():
        for task, copy in enumerate(copies):
            first = copies.index(copy)
            if first == task:
                continue
            for path in paths[block]:
                parent, _, name = path.rpartition('.')
                setattr(networks[task].get_submodule(parent), name, networks[first].get_submodule(path))
    return dict(zip(sharing['tasks'], networks, strict=True))
