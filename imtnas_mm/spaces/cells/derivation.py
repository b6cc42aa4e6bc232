"""Derives cells from the weights of their edges and operations, by the rules of DARTS, P-DARTS and PR-DARTS."""
import torch
from torch import Tensor

from .layout import COLUMN, EDGES, NODES, NONE, OPERATIONS, SKIP, incoming

Nodes = list[list[list]]  # of a cell: for each node its inputs, [operation, predecessor]


def strongest_edges(weights: Tensor) -> Nodes:
    """The rule of DARTS (Liu et al., 2019, Sec. 2.4): each node keeps its two strongest edges.

    The strength of an edge is its largest weight without that of ``none``; the
    edge takes the operation of this weight. If several are equal, the first
    wins, in the order of predecessors and of operations.

    Args:
        weights (Tensor): [14, 8].

    Returns:
        list: four nodes with two ``[operation, predecessor]`` each, the stronger first.
    """
    weights = weights.clone()
    weights[:, COLUMN[NONE]] = -torch.inf
    strength, operation = weights.max(1)  # the first if several are equal
    nodes = []
    for node in range(NODES):
        edges = sorted(incoming(node), key=lambda edge: -strength[edge].item())[:2]
        nodes.append([[OPERATIONS[operation[edge]], EDGES[edge].predecessor] for edge in edges])
    return nodes


def limit_skips(weights: Tensor, limit: int) -> Nodes:
    """The rule of P-DARTS (Chen et al., 2019, Sec. 3.3): the cell has at most ``limit`` identities.

    As long as it has more, the weight of its weakest identity is set to zero
    and the cell is derived again.

    Args:
        weights (Tensor): [14, 8].
        limit (int): the largest number of identities.
    """
    weights = weights.clone()
    while True:
        nodes = strongest_edges(weights)
        skips = [EDGES.index((i, state)) for i, node in enumerate(nodes) for name, state in node if name == SKIP]
        if len(skips) <= limit:
            return nodes
        weights[min(skips, key=lambda edge: weights[edge, COLUMN[SKIP]].item()), COLUMN[SKIP]] = 0


def strongest_pairs(weights: Tensor) -> Nodes:
    """The rule of PR-DARTS (Zhou et al., 2020, Sec. 4): each node keeps its two largest weights, without ``none``.

    They may be operations on the same edge. If several are equal, the first
    wins.

    Args:
        weights (Tensor): [14, 8].
    """
    nodes = []
    for node in range(NODES):
        pairs = [(weights[edge, column].item(), name, EDGES[edge].predecessor) for edge in incoming(node)
                 for column, name in enumerate(OPERATIONS) if name != NONE]
        pairs.sort(key=lambda pair: -pair[0])
        nodes.append([[name, state] for _, name, state in pairs[:2]])
    return nodes
