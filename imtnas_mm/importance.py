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
    """``ln(p / q)`` of the weight p of the option that is taken, and the weight q of the next one.

    For a softmax it is the difference of their alphas, so that it doesn't depend on the number of options. Heavier
    options, those of weight 0 and those at the places ``without`` were not to be had, so that they don't count; inf if
    no other option is left.
    """
    others = [weight for i, weight in enumerate(row) if i != taken and i not in without and 0 < weight <= row[taken]]
    return math.log(row[taken] / max(others)) if others else math.inf


def multiple(weight: float, options: int) -> str:
    """A weight over the uniform one of so many options: ``'×1.02'`` of .17 and 6 options."""
    return f'×{weight * options:.2f}'
