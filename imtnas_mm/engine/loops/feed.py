"""Endless batches of each task, which depend on the seed and the iteration alone."""
from collections.abc import Callable, Iterable
from typing import Any


class Feed:
    """One endless loader with ``per_iteration`` batches per iteration.

    Args:
        make (Callable): (seed, number of the first batch) -> loader.
        per_iteration (int): 0 starts no loader.
    """

    def __init__(self, make: Callable[[int, int], Iterable[dict[str, Any]]], per_iteration: int = 1) -> None:
        self.make = make
        self.per_iteration = per_iteration
        self.iterator: Any = None  # of batches, until it is stopped
        self.position = 0  # of the next batch

    def seek(self, seed: int, iteration: int) -> None:
        """Makes the first batch of ``iteration`` the next one."""
        start = iteration * self.per_iteration
        if self.per_iteration and (self.iterator is None or self.position != start):
            self.iterator, self.position = iter(self.make(seed, start)), start

    def next(self) -> dict[str, Any]:
        self.position += 1
        return next(self.iterator)

    def stop(self) -> None:
        self.iterator = None


class FeedData:
    """The feeds of several tasks. For mmengine's hooks it is a dataloader with ``len`` and ``dataset``.

    Args:
        dataset: the training sets, of which checkpoints keep ``metainfo``.
        feeds (dict[str, tuple[Feed]]): the feeds of each task.
        length (int): iterations of an epoch.
    """

    def __init__(self, dataset: object, feeds: dict[str, tuple[Feed, ...]], length: int) -> None:
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
        """Feeds of ``tasks`` go on at an iteration; feeds of other tasks stop, with their workers."""
        for task, feeds in self.feeds.items():
            for feed in feeds:
                if task not in tasks:
                    feed.stop()
                    continue
                assert self.seed is not None  # since start
                feed.seek(self.seed, iteration)
