"""From weights of edges and operations to the cell that they stand for."""
import torch

from .layout import COLUMN, EDGES, NODES, NONE, OPERATIONS, SKIP, incoming


def strongest_edges(weights):
    """The rule of DARTS (Liu et al., 2019, Sec. 2.4): of each node the two strongest edges.

    An edge is as strong as its largest weight but that of ``none``, and takes
    that operation. Of equals the first counts: predecessors in their order,
    operations in theirs.

    Args:
        weights (Tensor): [14, 8].

    Returns:
        list: four nodes, each two ``[operation, predecessor]``, the stronger first.
    """
    weights = weights.clone()
    weights[:, COLUMN[NONE]] = -torch.inf
    strength, operation = weights.max(1)  # the first of equals
    nodes = []
    for node in range(NODES):
        edges = sorted(incoming(node), key=lambda edge: -strength[edge].item())[:2]
        nodes.append([[OPERATIONS[operation[edge]], EDGES[edge].predecessor] for edge in edges])
    return nodes


def limit_skips(weights, limit):
    """The rule of P-DARTS (Chen et al., 2019, Sec. 3.3): at most ``limit`` identities in the cell.

    While there are more, the weight of the weakest of them is set to zero and
    the cell derived again.
    """
    weights = weights.clone()
    while True:
        nodes = strongest_edges(weights)
        skips = [EDGES.index((i, state)) for i, node in enumerate(nodes) for name, state in node if name == SKIP]
        if len(skips) <= limit:
            return nodes
        weights[min(skips, key=lambda edge: weights[edge, COLUMN[SKIP]].item()), COLUMN[SKIP]] = 0


def strongest_pairs(weights):
    """The rule of PR-DARTS (Zhou et al., 2020, Sec. 4): of each node the two largest weights but those of ``none``.

    The two may be operations on one edge. Of equals the first counts.
    """
    nodes = []
    for node in range(NODES):
        pairs = [(weights[edge, column].item(), name, EDGES[edge].predecessor) for edge in incoming(node)
                 for column, name in enumerate(OPERATIONS) if name != NONE]
        pairs.sort(key=lambda pair: -pair[0])
        nodes.append([[name, state] for _, name, state in pairs[:2]])
    return nodes
