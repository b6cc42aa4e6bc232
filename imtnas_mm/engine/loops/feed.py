"""Batches as a function of the seed and the iteration."""
from collections.abc import Iterable
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


class FeedData:
    """The feeds of several tasks; to mmengine's hooks, a dataloader with ``len`` and ``dataset``.

    Args:
        dataset: what checkpoints keep of the training sets.
        feeds (dict[str, tuple[Feed]]): those of each task.
        length (int): iterations of an epoch.
    """

    def __init__(self, dataset: Any, feeds: dict[str, tuple[Feed, ...]], length: int):
        self.dataset = dataset
        self.feeds = feeds
        self.length = length
        self.seed: int | None = None

    def __len__(self) -> int:
        return self.length

    def start(self, seed: int) -> None:
        self.seed = seed

    def stop(self) -> None:
        self.seek(0, ())

    def seek(self, iteration: int, tasks: Iterable[str]) -> None:
        """The feeds of ``tasks`` run, from an iteration on; those of the others stop, with their workers."""
        for task, feeds in self.feeds.items():
            for feed in feeds:
                if task in tasks:
                    feed.seek(self.seed, iteration)
                else:
                    feed.stop()
