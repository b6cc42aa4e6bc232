"""Batches as a function of the seed and the iteration."""
from typing import Any


class Feed:
    """One endless loader, ``per_iteration`` batches an iteration; which they are depends on the iteration alone.

    Args:
        make (Callable): (seed, number of the first batch) -> loader.
        per_iteration (int): with 0, no loader runs.
    """

    def __init__(self, make, per_iteration=1):
        self.make = make
        self.per_iteration = per_iteration
        self.iterator: Any = None
        self.position: Any = None  # of the next batch

    def seek(self, seed, iteration):
        """Starts it, unless its next batch is the first of ``iteration`` already."""
        start = iteration * self.per_iteration
        if self.per_iteration and (self.iterator is None or self.position != start):
            self.iterator, self.position = iter(self.make(seed, start)), start

    def next(self):
        self.position += 1
        return next(self.iterator)

    def stop(self):
        self.iterator = None
