"""The derived networks of a searched branching."""
from .build import build_network


def branched_networks(genotype, task_options):
    """The backbone of each task, where those of one copy of a block hold the same modules.

    Weights and batch norms' statistics of a shared block are shared.

    Args:
        genotype (Genotype): with ``sharing`` of the method ``branching``.
        task_options (dict[str, dict]): task -> options of its derived network.

    Returns:
        dict[str, nn.Module]: task -> backbone.
    """
    sharing = genotype.sharing
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
