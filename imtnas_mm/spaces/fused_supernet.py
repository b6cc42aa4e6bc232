"""K supernets side by side, with every edge that MTL-NAS may fuse them by."""
import contextlib
import math

import torch
from mmengine.model import BaseModule
from torch import nn

from ..layers.convolution import conv2d
from ..networks.fusion_edges import FUSION, INIT, fusion_edges, run_fused, scaled_identity
from ..registry import MODELS, scoped
from .base import Gates


def edge_name(edge):
    """``into<target>_<stage>_from<source>_<stage>``"""
    return f'into{edge.target}_{edge.stage}_from{edge.source}_{edge.source_stage}'


@MODELS.register_module()
class FusedSupernet(BaseModule):
    """K supernets of one search space, fused stage by stage: the backbone of a task of :class:`MTLNAS`.

    ``fused(t, s) = own(t, s) + sum_e z_e conv_e(resize(own(j, r)))`` over the
    edges e = (t, s, j, r), see ``networks.fusion_edges``. The own part has the weight 1
    and no norm or ReLU follows, so that with all z = 0 this is supernet t by
    itself. An edge whose z is exactly 0 isn't computed, nor is a supernet that
    no other edge leads from.

    It isn't a search space of its own: :class:`Fusion` has its choices. Its
    gates are z, ``gates.fusion`` [K, edges], and the K supernets' own.

    Args:
        space (dict): config of the search space; all K supernets have its
            options, which are those of the task whose images come.
        networks (int): K.
        network (int): the one whose features are the output.
        init (float): of the n convolutions into a stage, which start at
            ``init / n`` times the identity.
        learning_rate_factor (float): f. What is stored is a convolution's
            weight over sqrt(f): a step of SGD then moves the weight itself f
            times as far, and decays it as any other.
    """

    def __init__(self, space, networks, network, init=INIT, learning_rate_factor=1., init_cfg=None):
        super().__init__(init_cfg)
        self.encoders = nn.ModuleList(MODELS.build(scoped(space)) for _ in range(networks))
        self.network = network
        self.share = init
        self.scale = math.sqrt(learning_rate_factor)
        widths = self.encoders[0].stage_channels
        by_network = fusion_edges(networks, len(widths))
        self.edges = sum(by_network, ())
        self.fusion = nn.ParameterDict({
            edge_name(edge): nn.Parameter(torch.empty(widths[edge.stage], widths[edge.source_stage], 1, 1))
            for edge in self.edges
        })
        self.gates = Gates({FUSION: (networks, len(by_network[0]))})
        self.gates[FUSION].fill_(.5)
        self.set_start(dict(self.named_parameters()))

    samples = True  # an edge at 0 isn't computed

    @property
    def out_indices(self):
        return self.encoders[self.network].out_indices

    def alpha_shapes(self):
        """Of the operations, as a search space's."""
        return self.encoders[0].alpha_shapes()

    def set_progress(self, progress):
        for encoder in self.encoders:
            encoder.set_progress(progress)

    def unused(self, on_host):
        """As of a search space, of all K supernets."""
        names = set()
        for i, encoder in enumerate(self.encoders):
            path = f'encoders.{i}.'
            own = {name.removeprefix(path): gates for name, gates in on_host.items() if name.startswith(path)}
            names.update(path + name for name in encoder.unused(own))
        return frozenset(names)

    @contextlib.contextmanager
    def deterministic(self):
        with contextlib.ExitStack() as stack:
            for encoder in self.encoders:
                stack.enter_context(encoder.deterministic())
            yield

    @torch.no_grad()
    def set_start(self, weights):
        """Sets what a search starts from.

        All supernets start as the first one does, so that a channel is of the
        same use in all, and the convolutions at their share of the identity.

        Args:
            weights (dict[str, Tensor]): by the names of the parameters; changed in place.
        """
        for name, value in weights.items():
            if name.startswith('encoders.'):
                _, _, own = name.split('.', 2)
                value.copy_(weights[f'encoders.0.{own}'])
        for edge in self.edges:
            incoming = sum(other[:2] == edge[:2] for other in self.edges)
            scaled_identity(weights[f'fusion.{edge_name(edge)}'], self.share / incoming / self.scale)

    def forward(self, x):
        """Images [N, 3, H, W] -> tuple of feature maps of one network, one an output stage, in the order of depth."""
        gates = dict(zip(self.edges, self.gates[FUSION].flatten(), strict=True))
        chosen = self.gates.chosen(FUSION).flatten().tolist()
        on = [edge for edge, is_on in zip(self.edges, chosen, strict=True) if is_on]

        def convolve(edge, x):
            return conv2d(x, self.scale * gates[edge] * self.fusion[edge_name(edge)])

        outputs = run_fused(lambda i: self.encoders[i].stages(x), on, self.network, max(self.out_indices),
                            convolve)
        return tuple(output.contiguous() for stage, output in enumerate(outputs) if stage in self.out_indices)
