"""The differences between the architectures of the spaces of cells."""
from dataclasses import dataclass


@dataclass(frozen=True)
class CellTraits:
    """The traits of a space whose architectures are ``{'normal': nodes, 'reduce': nodes}``; DARTS has none of them.

    Args:
        weighs_edges (bool): A also weighs the edges into each node. The
            importance then has a group per node, ``normal_edges0`` and so on.
        has_activation_probabilities (bool): importance is the probability that
            a gate is on, so that a row doesn't sum to 1.
        joins_operations (bool): both inputs of a node may be operations on the
            same state.
        narrows_candidates (bool): operations that a search in phases has
            dropped have weight 0.
    """
    weighs_edges: bool = False
    has_activation_probabilities: bool = False
    joins_operations: bool = False
    narrows_candidates: bool = False
