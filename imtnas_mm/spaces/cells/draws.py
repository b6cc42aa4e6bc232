"""The random counterpart of ``derivation.py``: the probabilities with which weights draw the two inputs of a node.

Derivation keeps the largest weights. With Gumbel noise on the logarithms of the weights, the two largest are two draws
without replacement in proportion to the weights (Plackett and Luce; Kool et al., 2019, Sec. 2.2). By DARTS's rule the
largest operation of an edge is drawn in proportion to the weights of its operations, independently of how large it is,
and the edge by the sum of these weights. Its two draws are therefore those of an operation on any edge, and of an
operation on any other edge. The probabilities are exact, and tend to those of the derived node where one weight is far
above the next.
"""
import torch
from torch import Tensor

from .layout import COLUMN, MAX_POOL, NONE, OPERATIONS, incoming
from .plan import Candidates


class NodeDraw:
    """The draw of a node's inputs: two operations, on two edges unless ``joins``.

    Attributes:
        outcomes (list[tuple]): the ordered draws, two (edge, operation) each,
            as indices in ``EDGES`` and ``OPERATIONS``.

    Args:
        node (int): the node.
        candidates (list[tuple[str]]): the operations of each of the 14 edges;
            an edge with ``none`` alone derives to a max pool.
        joins (bool): whether both operations may be on the same edge (the rule
            of PR-DARTS).
    """

    def __init__(self, node: int, candidates: Candidates, joins: bool) -> None:
        pairs = [(edge, COLUMN[name]) for edge in incoming(node)
                 for name in [name for name in candidates[edge] if name != NONE] or [MAX_POOL]]
        edges = torch.tensor([edge for edge, _ in pairs])
        self.places = torch.tensor([edge * len(OPERATIONS) + column for edge, column in pairs])
        number = len(pairs)
        # pairs that a first draw excludes from the second
        self.excluded = torch.eye(number, dtype=torch.bool) if joins else edges[:, None] == edges
        self.legal = torch.tensor([i for i, excluded in enumerate(self.excluded.flatten().tolist()) if not excluded])
        self.outcomes = [(pairs[i // number], pairs[i % number]) for i in self.legal.tolist()]

    def probabilities(self, weights: Tensor) -> Tensor:
        """The probability of each outcome, ``p_i p_j / sum of all p that i does not exclude``.

        Args:
            weights (Tensor): [14, 8], at least 0.

        Returns:
            Tensor: [outcomes], which sums to 1.
        """
        if self.places.device != weights.device:  # moved once, since the copy waits
            self.places, self.excluded, self.legal = (
                tensor.to(weights.device) for tensor in (self.places, self.excluded, self.legal))
        logits = weights.flatten()[self.places].clamp_min(torch.finfo(weights.dtype).tiny).log()
        second = logits.expand(len(logits), -1).masked_fill(self.excluded, -torch.inf).softmax(-1)
        return (logits.softmax(-1)[:, None] * second).flatten()[self.legal]
