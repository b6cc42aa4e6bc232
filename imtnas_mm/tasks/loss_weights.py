"""Checks the weights of the tasks' losses."""
from collections.abc import Collection, Mapping


def check_weights(weights: Mapping[str, float] | None, field: str, tasks: Collection[str]) -> dict[str, float]:
    """dict of task -> weight, 1 by default; raises ValueError for an unknown task or a negative weight."""
    weights = dict(weights or {})
    for name, weight in weights.items():
        if name not in tasks:
            raise ValueError(f'model.{field} names the unknown task {name!r}; there are {list(tasks)}')
        if weight < 0:
            raise ValueError(f'model.{field}.{name}={weight} must not be negative')
    return {name: weights.get(name, 1.) for name in tasks}
