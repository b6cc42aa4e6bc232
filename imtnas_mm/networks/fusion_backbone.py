"""The derived networks of a searched fusion (MTL-NAS): a backbone reads feature maps of other tasks' networks."""
from collections.abc import Mapping
from typing import Any, cast

from mmengine.model import BaseModule
from torch import Tensor, nn

from ..genotype import Genotype, sharing_of
from .build import build_network
from .derived import DerivedNet, before_last
from .fusion_edges import INIT, FusionEdge, Network, needed_parts, run_fused, scaled_identity
from .stage_outputs import Stages


class FusedBackbone(BaseModule):
    """The backbone of a task whose network reads feature maps that other tasks' networks compute of the same images.

    It holds the networks that the task's features depend on, and runs the
    stages of them that these features depend on.

    Args:
        task (str): the task of the backbone.
        networks (dict[str, DerivedNet]): the networks of all tasks.
        convolutions (dict[FusionEdge, nn.Conv2d]): the edges that are on, with
            the names of tasks for networks, and the convolution of each edge.
    """

    def __init__(self, task: str, networks: Mapping[str, DerivedNet],
                 convolutions: Mapping[FusionEdge, nn.Conv2d]) -> None:
        super().__init__()
        self.task = task
        depths, needed = needed_parts(convolutions, task, max(networks[task].out_indices))
        self.edges = {edge: '{}_{}_from_{}_{}'.format(*edge) for edge in convolutions if edge in needed}
        self.networks = nn.ModuleDict({name: network for name, network in networks.items() if name in depths})
        self.fusion = nn.ModuleDict({name: convolutions[edge] for edge, name in self.edges.items()})

    @property
    def task_network(self) -> DerivedNet:
        """The network of the task itself."""
        return self.network(self.task)

    def network(self, task: Network) -> DerivedNet:
        return cast(DerivedNet, self.networks[str(task)])

    @property
    def genotype(self) -> Genotype:
        return self.task_network.genotype

    @property
    def out_indices(self) -> tuple[int, ...]:
        return self.task_network.out_indices

    @property
    def out_channels(self) -> tuple[int, ...]:
        return self.task_network.out_channels

    def init_weights(self) -> None:
        """Initialises each network once, however many backbones hold it."""
        for network in map(self.network, self.networks):
            if not network.is_init:
                network.init_weights()
        self.is_init = True

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Images [N, 3, H, W] -> tuple of feature maps, those of the task's network with their fusion."""
        auxiliary: list[Tensor] = []

        def start(task: Network) -> Stages:
            return self.network(task).stages(x, auxiliary if task == self.task else [])

        outputs = run_fused(start, self.edges, self.task, max(self.out_indices),
                            lambda edge, x: self.fusion[self.edges[edge]](x))
        return before_last([x for stage, x in enumerate(outputs) if stage in self.out_indices], auxiliary)


def fused_networks(genotype: Genotype, task_options: Mapping[str, Mapping[str, Any]]
                   ) -> dict[str, FusedBackbone | DerivedNet]:
    """The backbone of each task: a :class:`FusedBackbone`, or the task's network if no edge leads to its features.

    All backbones that run a network hold the same module, and so it is with
    the convolutions of the edges. These start as in a search with the
    default ``fusion.init``. The convolutions into frozen stages are frozen.

    Args:
        genotype (Genotype): its ``sharing`` is of the method ``fusion``.
        task_options (dict[str, dict]): task -> options of its derived network.

    Returns:
        dict[str, FusedBackbone or DerivedNet]: task -> backbone.

    Raises:
        ValueError: if the genotype has no ``sharing``.
    """
    sharing = sharing_of(genotype)
    networks = {task: build_network(genotype, **task_options[task]) for task in sharing['tasks']}
    convolutions: dict[FusionEdge, nn.Conv2d] = {}
    edges = [FusionEdge(*edge) for edge in sharing['edges']]
    for edge in edges:
        target, source = networks[str(edge.target)], networks[str(edge.source)]
        convolution = nn.Conv2d(source.stage_channels[edge.source_stage], target.stage_channels[edge.stage], 1,
                                bias=False)
        scaled_identity(convolution.weight, INIT / sum(other[:2] == edge[:2] for other in edges))
        convolutions[edge] = convolution.requires_grad_(edge.stage >= target.frozen_stages)
    backbones = {task: FusedBackbone(task, networks, convolutions) for task in networks}
    return {task: backbone if backbone.edges else networks[task] for task, backbone in backbones.items()}
