"""Builds the backbones of several tasks whose derived networks share parts, as a search has decided."""
from collections.abc import Mapping
from typing import Any

from torch import nn

from ..genotype import Genotype, sharing_of
from .branched import branched_networks
from .fusion_backbone import fused_networks

# method of sharing -> builder(genotype, task_options) -> dict task -> backbone
BUILDERS = {'branching': branched_networks, 'fusion': fused_networks}
OWN_OPTIONS = ('out_indices', 'auxiliary', 'init_cfg')  # may differ between tasks: no shared module depends on them


def shared_networks(genotype: Genotype, task_options: Mapping[str, Mapping[str, Any]] | None = None,
                    **options: Any) -> nn.ModuleDict:
    """The backbone of each task of an architecture with ``sharing``.

    The task's model calls its backbone with images and gets the tuple of
    feature maps of an ordinary derived network. A shared block is the same
    module in all backbones that use it, with the same weights and the same
    statistics of batch norms.

    Args:
        genotype (Genotype): its ``sharing`` is of any method in ``BUILDERS``.
        task_options (dict[str, dict], optional): task -> options of its
            derived network. Only those in ``OWN_OPTIONS`` may differ.
        **options: options of all derived networks.

    Returns:
        nn.ModuleDict: task -> backbone, in the order of the genotype's tasks.

    Raises:
        ValueError: if the genotype has no ``sharing``; if its tasks are not
            those of ``task_options``; or if the tasks differ in an option
            outside ``OWN_OPTIONS``.
    """
    sharing = sharing_of(genotype)
    tasks = sharing['tasks']
    if task_options is not None and set(task_options) != set(tasks):
        raise ValueError(f'architecture: sharing.tasks: {tasks}; the networks asked for are of {list(task_options)}')
    by_task = {task: {**options, **(task_options or {}).get(task, {})} for task in tasks}
    for task in tasks:
        for name in sorted({*by_task[tasks[0]], *by_task[task]} - set(OWN_OPTIONS)):
            value, first = by_task[task].get(name), by_task[tasks[0]].get(name)
            if value != first:
                raise ValueError(f'{task}.backbone.{name}: {value!r}, which is {first!r} for {tasks[0]}; tasks share '
                                 f'modules, so that only {", ".join(OWN_OPTIONS)} may differ')
    networks = BUILDERS[sharing['method']](genotype, by_task)
    return nn.ModuleDict({task: networks[task] for task in tasks})
