"""Importance weights of an architecture file: the rows of a group, and by how much a choice leads the next option."""
import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any

UNSURE = .01  # of a lead; A's alphas start within some .001 of each other


def importance_rows(group: Any) -> Iterator[list[float]]:
    """The rows of a group of importance weights, each the weights of the options of one choice."""
    if not isinstance(group[0], list):
        yield group
        return
    for part in group:
        yield from importance_rows(part)


def lead(row: Sequence[float], taken: int, without: Collection[int] = ()) -> float:
    """``ln(p / q)`` of the weight p of the taken option and the weight q of the next one.

    For a softmax it is the difference of the two alphas, so it doesn't depend on the number of options. Options
    heavier than the taken one, of weight 0, or in ``without`` could not be taken and don't count. The result is inf
    if no option is left.
    """
    others = [weight for i, weight in enumerate(row) if i != taken and i not in without and 0 < weight <= row[taken]]
    return math.log(row[taken] / max(others)) if others else math.inf


def multiple(weight: float, options: int) -> str:
    """A weight as a multiple of the uniform one: ``'×1.02'`` for .17 and 6 options."""
    return f'×{weight * options:.2f}'
