"""The derived networks of a searched branching."""
from torch import nn

from .build import build_network


def branched_networks(genotype, **options):
    """The backbone of each task, where those of one copy of a block hold the same modules.

    Weights and batch norms' statistics of a shared block are shared.

    Args:
        genotype (Genotype): with ``sharing``.
        **options: of the derived network.

    Returns:
        nn.ModuleDict: task -> backbone.
    """
    sharing = genotype.sharing
    if sharing is None:
        raise ValueError('architecture: sharing: is missing; it must be the result of a search for a branching')
    networks = [build_network(genotype, **options) for _ in sharing['tasks']]
    paths = networks[0].blocks(list(sharing['blocks']))
    for block, copies in sharing['blocks'].items():
        for task, copy in enumerate(copies):
            first = copies.index(copy)
            if first == task:
                continue
            for path in paths[block]:
                parent, _, name = path.rpartition('.')
                setattr(networks[task].get_submodule(parent), name, networks[first].get_submodule(path))
    return nn.ModuleDict(zip(sharing['tasks'], networks, strict=True))
