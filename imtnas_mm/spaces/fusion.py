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
    """From a stage of the network ``source`` to one of ``target``; all count from 0."""
    target: int
    stage: int
    source: int
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


def needed_stages(networks, edges, network, last):
    """list[int]: of how many stages of each network the outputs of one, up to its stage ``last``, depend.

    Args:
        networks (int): K.
        edges (iterable[FusionEdge]): those there are.
        network (int): whose outputs are asked for.
        last (int): its last stage that is.
    """
    found = [last + 1 if i == network else 0 for i in range(networks)]
    for edge in sorted(edges, key=lambda edge: -edge.stage):  # what an edge needs has its edges at earlier stages
        # of the other networks, the last stage's output goes into edges alone, and so as it is before fusion
        if edge.stage < found[edge.target] - (edge.target != network):
            found[edge.source] = max(found[edge.source], edge.source_stage + 1)
    return found


def run_fused(start, networks, edges, network, last, convolve):
    """The outputs of one of K networks after its stages 0 to ``last``, each with what its edges bring.

    Only those stages of the networks run that these outputs depend on.

    Args:
        start: index of a network -> generator as in ``spaces.stages``.
        networks (int): K.
        edges (iterable[FusionEdge]): those there are.
        network (int): whose outputs are asked for.
        last (int): its last stage that is.
        convolve: (FusionEdge, Tensor) -> Tensor; what an edge makes of a map at its target's size.

    Returns:
        list[Tensor]: ``last + 1`` of them.
    """
    depths = needed_stages(networks, edges, network, last)
    running = {i: start(i) for i in range(networks) if depths[i]}
    own, sent, outputs = {}, dict.fromkeys(running), []
    for stage in range(last + 1):
        for i, generator in running.items():
            if stage < depths[i]:
                own[i, stage] = generator.send(sent[i])
        for i in running:
            if stage < depths[i] - (i != network):
                sent[i] = own[i, stage]
                for edge in edges:
                    if edge[:2] == (i, stage):
                        source = own[edge.source, edge.source_stage]
                        sent[i] = sent[i] + convolve(edge, at_size_of(source, own[i, stage]))
        outputs.append(sent[network])
    return outputs
