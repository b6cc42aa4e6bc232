"""The derived networks of a searched fusion (MTL-NAS)."""
from mmengine.model import BaseModule
from torch import nn

from .build import build_network
from .derived import before_last
from .fusion_edges import INIT, FusionEdge, needed_parts, run_fused, scaled_identity


class FusedBackbone(BaseModule):
    """The backbone of one task whose network goes on with what other tasks' networks make of the same images.

    It runs the stages that the task's features depend on, and has the networks
    they belong to.

    Args:
        task (str): whose backbone it is.
        networks (dict[str, DerivedNet]): of all tasks.
        convolutions (dict[FusionEdge, nn.Module]): of the edges that are on,
            between networks by their tasks' names.
    """

    def __init__(self, task, networks, convolutions):
        super().__init__()
        self.task = task
        depths, needed = needed_parts(convolutions, task, max(networks[task].out_indices))
        self.edges = {edge: '{}_{}_from_{}_{}'.format(*edge) for edge in convolutions if edge in needed}
        self.networks = nn.ModuleDict({name: network for name, network in networks.items() if name in depths})
        self.fusion = nn.ModuleDict({name: convolutions[edge] for edge, name in self.edges.items()})

    @property
    def own(self):
        """The task's own network."""
        return self.networks[self.task]

    @property
    def genotype(self):
        return self.own.genotype

    @property
    def out_indices(self):
        return self.own.out_indices

    @property
    def out_channels(self):
        return self.own.out_channels

    def init_weights(self):
        """Each network's own, once, whatever the number of backbones it is in."""
        for network in self.networks.values():
            if not network.is_init:
                network.init_weights()
        self._is_init = True

    def forward(self, x):
        """Images [N, 3, H, W] -> tuple of feature maps, as the task's own network gives them."""
        auxiliary = []

        def start(task):
            return self.networks[task].stages(x, auxiliary if task == self.task else [])

        outputs = run_fused(start, self.edges, self.task, max(self.out_indices),
                            lambda edge, x: self.fusion[self.edges[edge]](x))
        return before_last([x for stage, x in enumerate(outputs) if stage in self.out_indices], auxiliary)


def fused_networks(genotype, task_options):
    """The backbone of each task: a :class:`FusedBackbone`, or its network itself where no edge leads to its features.

    The networks are the same modules in all backbones that run them, and so
    are the convolutions of the edges, which start as in the search. The
    convolutions into frozen stages are frozen.

    Args:
        genotype (Genotype): with ``sharing`` of the method ``fusion``.
        task_options (dict[str, dict]): task -> options of its derived network.

    Returns:
        dict[str, nn.Module]: task -> backbone.
    """
    sharing = genotype.sharing
    networks = {task: build_network(genotype, **task_options[task]) for task in sharing['tasks']}
    convolutions = {}
    edges = [FusionEdge(*edge) for edge in sharing['edges']]
    for edge in edges:
        target, source = networks[edge.target], networks[edge.source]
        convolutions[edge] = nn.Conv2d(source.stage_channels[edge.source_stage], target.stage_channels[edge.stage], 1,
                                       bias=False)
        scaled_identity(convolutions[edge].weight, INIT / sum(other[:2] == edge[:2] for other in edges))
        convolutions[edge].requires_grad_(edge.stage >= target.frozen_stages)
    backbones = {task: FusedBackbone(task, networks, convolutions) for task in networks}
    return {task: backbone if backbone.edges else networks[task] for task, backbone in backbones.items()}
