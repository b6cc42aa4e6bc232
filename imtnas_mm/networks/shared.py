"""The derived networks of several tasks that have a part of an architecture in common."""
from torch import nn

from .branched import branched_networks
from .fusion_backbone import fused_networks

# method of sharing -> builder(genotype, task_options) -> dict task -> backbone
BUILDERS = {'branching': branched_networks, 'fusion': fused_networks}
OWN_OPTIONS = ('out_indices', 'auxiliary', 'init_cfg')  # may differ between tasks: they say nothing of a shared module


def shared_networks(genotype, task_options=None, **options):
    """The backbone of each task of an architecture with ``sharing``.

    A backbone is what the task's model calls with its images, for the tuple of
    feature maps of an ordinary derived network. What tasks share is one module
    (one weight, one batch norm's statistics) in all their backbones.

    Args:
        genotype (Genotype): with ``sharing`` of any method in ``BUILDERS``.
        task_options (dict[str, dict], optional): task -> options of its own
            derived network; only those of ``OWN_OPTIONS`` may differ.
        **options: of all derived networks.

    Returns:
        nn.ModuleDict: task -> backbone, in the order of the genotype's tasks.

    Raises:
        ValueError: the genotype has no ``sharing``; its tasks are not those of
            ``task_options``; or other options than ``OWN_OPTIONS`` differ.
    """
    if genotype.sharing is None:
        raise ValueError('architecture: sharing: is missing; it must be the result of a search for what the tasks '
                         'share')
    tasks = genotype.sharing['tasks']
    if task_options is not None and set(task_options) != set(tasks):
        raise ValueError(f'architecture: sharing.tasks: {tasks}; the networks asked for are of {list(task_options)}')
    own = {task: {**options, **(task_options or {}).get(task, {})} for task in tasks}
    for task in tasks:
        for name in sorted({*own[tasks[0]], *own[task]} - set(OWN_OPTIONS)):
            ours, first = own[task].get(name), own[tasks[0]].get(name)
            if ours != first:
                raise ValueError(f'{task}.backbone.{name}: {ours!r}, which is {first!r} for {tasks[0]}; tasks share '
                                 f'modules, so that only {", ".join(OWN_OPTIONS)} may differ')
    networks = BUILDERS[genotype.sharing['method']](genotype, own)
    return nn.ModuleDict({task: networks[task] for task in tasks})
