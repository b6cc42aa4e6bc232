"""The edges between networks that run side by side on the same images (MTL-NAS; Gao et al., 2020).

After its stage s, network t passes ``own(t, s) + sum f(own(j, r))`` on. The sum
is over the edges into this stage, from stages ``r <= s`` of other networks j.
``own`` is a stage's output before the sum, so that no edge waits for itself. f
resizes the map to the size of ``own(t, s)`` and is a 1x1 convolution of it.
"""
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .stage_outputs import Stages

FUSION = 'fusion'  # the group of A, and its gates
INIT = .1  # the convolutions into a stage start so that their sum is this share of the identity

Network = int | str  # a network by its index, or by the name of its task


class FusionEdge(NamedTuple):
    """An edge from a stage of the network ``source`` to a stage of ``target``.

    Stages count from 0. Networks count from 0 or have the names of their tasks.
    """
    target: Network
    stage: int
    source: Network
    source_stage: int


def fusion_edges(networks: int, stages: int) -> tuple[tuple[FusionEdge, ...], ...]:
    """The (K - 1) S (S + 1) / 2 possible edges into each of K networks of S stages, one tuple per network."""
    return tuple(
        tuple(FusionEdge(target, stage, source, source_stage) for stage in range(stages)
              for source in range(networks) if source != target for source_stage in range(stage + 1))
        for target in range(networks))


def scaled_identity(weight: Tensor, share: float) -> Tensor:
    """Fills the weight [O, C, 1, 1] of a convolution with ``share`` times the identity, zeros beyond its square."""
    with torch.no_grad():
        return torch.nn.init.eye_(weight[:, :, 0, 0]).mul_(share)


def at_size_of(x: Tensor, target: Tensor) -> Tensor:
    """A map at the height and width of another map."""
    if x.shape[2:] == target.shape[2:]:
        return x
    return F.interpolate(x, target.shape[2:], mode='bilinear', align_corners=False)


def needed_parts(edges: Iterable[FusionEdge], network: Network, last: int
                 ) -> tuple[dict[Network, int], list[FusionEdge]]:
    """The stages and edges that the outputs of a network up to its stage ``last`` depend on.

    Args:
        edges (iterable[FusionEdge]): all edges.
        network (int or str): the network of the outputs.
        last (int): the last stage of the outputs.

    Returns:
        (dict[int or str, int], list[FusionEdge]): network -> the number of its
        stages that run; the edges.
    """
    depths: dict[Network, int] = {network: last + 1}
    needed: list[FusionEdge] = []
    for edge in sorted(edges, key=lambda edge: -edge.stage):  # an edge depends on edges into earlier stages alone
        # edges read the output of a stage before its fusion, so no edge into the last stage of another network counts
        if edge.stage < depths.get(edge.target, 0) - (edge.target != network):
            depths[edge.source] = max(depths.get(edge.source, 0), edge.source_stage + 1)
            needed.append(edge)
    return depths, needed


def run_fused(start: Callable[[Network], Stages], edges: Iterable[FusionEdge], network: Network, last: int,
              convolve: Callable[[FusionEdge, Tensor], Tensor]) -> list[Tensor]:
    """The outputs of a network after its stages 0 to ``last``, each with the sum over its edges.

    Stages and edges that these outputs don't depend on don't run.

    Args:
        start: network -> the generator of its stages, see ``networks.stage_outputs``.
        edges (iterable[FusionEdge]): all edges.
        network (int or str): the network of the outputs.
        last (int): the last stage of the outputs.
        convolve: (FusionEdge, Tensor) -> Tensor; the convolution of an edge, on a map of its target's size.

    Returns:
        list[Tensor]: ``last + 1`` maps.
    """
    depths, edges = needed_parts(edges, network, last)
    running = {i: start(i) for i in sorted(depths, key=str if isinstance(network, str) else int)}
    before: dict[tuple[Network, int], Tensor] = {}  # the outputs of stages before the fusion
    sent: dict[Network, Tensor] = {}  # the inputs of the next stages
    outputs: list[Tensor] = []
    for stage in range(last + 1):
        for i, generator in running.items():
            if stage < depths[i]:
                before[i, stage] = sent[i] = generator.send(sent[i]) if stage else next(generator)
        for edge in edges:
            if edge.stage == stage:
                source = before[edge.source, edge.source_stage]
                sent[edge.target] = sent[edge.target] + convolve(edge, at_size_of(source, before[edge.target, stage]))
        outputs.append(sent[network])
    return outputs
