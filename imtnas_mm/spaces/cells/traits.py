"""What sets the architectures of one space of cells apart from those of another."""
from dataclasses import dataclass


@dataclass(frozen=True)
class CellTraits:
    """Of a space whose architectures are ``{'normal': nodes, 'reduce': nodes}``; DARTS has none of these.

    Args:
        weighs_edges (bool): A also weighs the edges into each node; the
            importance then has a group per node, ``normal_edges0`` and so on.
        has_activation_probabilities (bool): importance is the probability that
            a gate is on, so that a row doesn't sum to 1.
        joins_operations (bool): both inputs of a node may be operations on one
            state.
        narrows_candidates (bool): operations that were given up have weight 0.
    """
    weighs_edges: bool = False
    has_activation_probabilities: bool = False
    joins_operations: bool = False
    narrows_candidates: bool = False
