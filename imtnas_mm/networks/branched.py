"""The derived networks of a searched branching."""
from .build import build_network

OWN_OPTIONS = ('out_indices', 'auxiliary', 'init_cfg')  # may differ between tasks: they say nothing of a shared module


def branched_networks(genotype, task_options):
    """The backbone of each task, where those of one copy of a block hold the same modules.

    Weights and batch norms' statistics of a shared block are shared.

    Args:
        genotype (Genotype): with ``sharing`` of the method ``branching``.
        task_options (dict[str, dict]): task -> options of its derived network;
            only those of ``OWN_OPTIONS`` may differ.

    Returns:
        dict[str, nn.Module]: task -> backbone.

    Raises:
        ValueError: other options differ.
    """
    sharing = genotype.sharing
    first_task = sharing['tasks'][0]
    for task in sharing['tasks']:
        for name in sorted({*task_options[first_task], *task_options[task]} - set(OWN_OPTIONS)):
            ours, first = (task_options[one].get(name) for one in (task, first_task))
            if ours != first:
                raise ValueError(f'{task}.backbone.{name}: {ours!r}, which is {first!r} for {first_task}; tasks share '
                                 f'modules, so that only {", ".join(OWN_OPTIONS)} may differ')
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
