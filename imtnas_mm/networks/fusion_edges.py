"""The edges between networks that run side by side on the same images (MTL-NAS; Gao et al., 2020).

Network t goes on after its stage s with ``own(t, s) + sum f(own(j, r))`` over
the edges into it, from stages ``r <= s`` of other networks j. ``own`` is a
stage's output before that sum, so that no edge waits for itself. f is a 1x1
convolution of the map at the size of ``own(t, s)``.
"""
from typing import NamedTuple

import torch
import torch.nn.functional as F

FUSION = 'fusion'  # the group of A, and its gates
INIT = .1  # of the convolutions into a stage: their sum starts at this share of the identity


class FusionEdge(NamedTuple):
    """From a stage of the network ``source`` to one of ``target``.

    Stages count from 0, and so do networks, which may have names instead.
    """
    target: int | str
    stage: int
    source: int | str
    source_stage: int


def fusion_edges(networks, stages):
    """tuple[tuple[FusionEdge]]: the (K - 1) S (S + 1) / 2 possible edges into each of K networks of S stages."""
    return tuple(
        tuple(FusionEdge(target, stage, source, source_stage) for stage in range(stages)
              for source in range(networks) if source != target for source_stage in range(stage + 1))
        for target in range(networks))


def scaled_identity(weight, share):
    """Fills the weight [O, C, 1, 1] of a convolution with ``share`` times the identity, zeros beyond its square."""
    with torch.no_grad():
        return torch.nn.init.eye_(weight[:, :, 0, 0]).mul_(share)


def at_size_of(x, target):
    """A map at the height and width of another."""
    if x.shape[2:] == target.shape[2:]:
        return x
    return F.interpolate(x, target.shape[2:], mode='bilinear', align_corners=False)


def needed_parts(edges, network, last):
    """What the outputs of a network up to its stage ``last`` depend on.

    Args:
        edges (iterable[FusionEdge]): those there are.
        network (int): whose outputs are asked for.
        last (int): its last stage that is.

    Returns:
        (dict[int, int], list[FusionEdge]): network -> how many of its stages
        run; the edges.
    """
    depths, needed = {network: last + 1}, []
    for edge in sorted(edges, key=lambda edge: -edge.stage):  # what an edge needs has its edges at earlier stages
        # what the last stage of another network gives goes into edges alone, and so as it is before the fusion
        if edge.stage < depths.get(edge.target, 0) - (edge.target != network):
            depths[edge.source] = max(depths.get(edge.source, 0), edge.source_stage + 1)
            needed.append(edge)
    return depths, needed


def run_fused(start, edges, network, last, convolve):
    """The outputs of one network after its stages 0 to ``last``, each with what its edges bring.

    Only what these outputs depend on runs.

    Args:
        start: index of a network -> generator as in ``networks.stage_outputs``.
        edges (iterable[FusionEdge]): those there are.
        network (int): whose outputs are asked for.
        last (int): its last stage that is.
        convolve: (FusionEdge, Tensor) -> Tensor; what an edge makes of a map at its target's size.

    Returns:
        list[Tensor]: ``last + 1`` of them.
    """
    depths, edges = needed_parts(edges, network, last)
    running = {i: start(i) for i in sorted(depths)}
    own, sent, outputs = {}, dict.fromkeys(running), []
    for stage in range(last + 1):
        for i, generator in running.items():
            if stage < depths[i]:
                own[i, stage] = sent[i] = generator.send(sent[i])
        for edge in edges:
            if edge.stage == stage:
                source = own[edge.source, edge.source_stage]
                sent[edge.target] = sent[edge.target] + convolve(edge, at_size_of(source, own[edge.target, stage]))
        outputs.append(sent[network])
    return outputs
