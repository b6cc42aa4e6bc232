"""The supernet of MTL-NAS: a supernet per task, and every edge between their stages that a search may choose."""
import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..compat.modules import ModulesInOrder
from ..layers.convolution import conv2d
from ..networks.fusion_edges import FUSION, INIT, FusionEdge, fusion_edges, run_fused, scaled_identity
from ..progress import Progress
from ..registry import MODELS, scoped
from .base import Gates, SearchSpace


def edge_name(edge: FusionEdge) -> str:
    """The name of an edge's convolution, ``into<target>_<stage>_from<source>_<stage>``"""
    return f'into{edge.target}_{edge.stage}_from{edge.source}_{edge.source_stage}'


@MODELS.register_module()
class FusedSupernet(BaseModule):
    """K supernets of the same search space, fused stage by stage: the backbone of a task of :class:`MTLNAS`.

    ``fused(t, s) = own(t, s) + sum_e z_e conv_e(resize(own(j, r)))`` over the
    edges e = (t, s, j, r), see ``networks.fusion_edges``. ``own(t, s)`` has the
    weight 1, and no norm or ReLU follows. So with all z = 0 the output is that
    of supernet t alone. An edge whose z is exactly 0 isn't computed, and
    neither is a supernet without another edge that leads from it.

    This class is no search space: :class:`Fusion` has its choices. Its gates
    are z, ``gates.fusion`` [K, edges], and the gates of the K supernets.

    Args:
        space (dict): config of the search space. All K supernets take its
            options, which are those of the task.
        networks (int): K.
        network (int): the index of the network whose features are the output.
        init (float): the n convolutions into a stage start as ``init / n``
            times the identity.
        learning_rate_factor (float): f. The parameter is a convolution's weight
            over sqrt(f). A step of SGD then moves the weight itself f times as
            far, with the weight decay of any other weight.
    """

    encoders: ModulesInOrder[SearchSpace]

    def __init__(self, space: Mapping[str, Any], networks: int, network: int, init: float = INIT,
                 learning_rate_factor: float = 1., init_cfg: dict[str, Any] | None = None) -> None:
        super().__init__(init_cfg)
        self.encoders = ModulesInOrder(MODELS.build(scoped(space)) for _ in range(networks))
        self.network = network
        self.share = init
        self.scale = math.sqrt(learning_rate_factor)
        widths = self.stage_channels
        by_network = fusion_edges(networks, len(widths))
        self.edges = tuple(edge for edges in by_network for edge in edges)
        self.fusion = nn.ParameterDict({
            edge_name(edge): nn.Parameter(torch.empty(widths[edge.stage], widths[edge.source_stage], 1, 1))
            for edge in self.edges
        })
        self.gates = Gates({FUSION: (networks, len(by_network[0]))})
        self.gates[FUSION].fill_(.5)
        self.set_start(dict(self.named_parameters()))

    samples = True  # an edge at 0 isn't computed

    def encoder(self, index: int) -> SearchSpace:
        """The supernet of a network."""
        return self.encoders[index]

    @property
    def draws(self) -> bool:
        """Whether a supernet draws random numbers, see :meth:`SearchSpace.draws`."""
        return any(encoder.draws for encoder in self.encoders)

    @property
    def stage_channels(self) -> tuple[int, ...]:
        """The channels of each stage's output, the same in all supernets."""
        return self.encoder(0).stage_channels

    @property
    def out_indices(self) -> tuple[int, ...]:
        return self.encoder(self.network).out_indices

    def alpha_shapes(self) -> dict[str, tuple[int, ...]]:
        """The groups of the operations, see :meth:`SearchSpace.alpha_shapes`."""
        return self.encoder(0).alpha_shapes()

    def set_progress(self, progress: Progress | None) -> None:
        for i in range(len(self.encoders)):
            self.encoder(i).set_progress(progress)

    def unused(self, on_host: Mapping[str, np.ndarray]) -> frozenset[str]:
        """The unused parameters of all K supernets, see :meth:`SearchSpace.unused`."""
        names: set[str] = set()
        for i in range(len(self.encoders)):
            path = f'encoders.{i}.'
            inside = {name.removeprefix(path): gates for name, gates in on_host.items() if name.startswith(path)}
            names.update(path + name for name in self.encoder(i).unused(inside))
        return frozenset(names)

    @contextlib.contextmanager
    def deterministic(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for i in range(len(self.encoders)):
                stack.enter_context(self.encoder(i).deterministic())
            yield

    @torch.no_grad()
    def set_start(self, weights: Mapping[str, Tensor]) -> None:
        """Sets the weights that a search starts from.

        All supernets start from the weights of the first, so that a channel has
        the same meaning in all. The convolutions start at their share of the
        identity.

        Args:
            weights (dict[str, Tensor]): the weights by the names of the parameters; changed in place.
        """
        for name, value in weights.items():
            if name.startswith('encoders.'):
                _, _, inside = name.split('.', 2)
                value.copy_(weights[f'encoders.0.{inside}'])
        for edge in self.edges:
            incoming = sum(other[:2] == edge[:2] for other in self.edges)
            scaled_identity(weights[f'fusion.{edge_name(edge)}'], self.share / incoming / self.scale)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Images [N, 3, H, W] -> tuple of feature maps of ``network``, one per output stage, in the order of depth."""
        gates = dict(zip(self.edges, self.gates[FUSION].flatten(), strict=True))
        chosen = self.gates.chosen(FUSION).flatten().tolist()
        on = [edge for edge, is_on in zip(self.edges, chosen, strict=True) if is_on]

        def convolve(edge: FusionEdge, x: Tensor) -> Tensor:
            return conv2d(x, self.scale * gates[edge] * self.fusion[edge_name(edge)])

        outputs = run_fused(lambda i: self.encoder(int(i)).stages(x), on, self.network, max(self.out_indices),
                            convolve)
        return tuple(output.contiguous() for stage, output in enumerate(outputs) if stage in self.out_indices)
