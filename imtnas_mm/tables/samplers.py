"""Random queries and regularised evolution: they ask a table for n accuracies, train nothing, and take the best.

A search that trains a supernet must beat them: n queries stand for n trainings.
"""
import random
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass

from ..registry import TABLE_SAMPLERS
from .accuracy import AccuracyTable, TableError


@dataclass(frozen=True)
class Sampled:
    """The result of a sampler.

    Args:
        best (list[tuple[int, str]]): the queries that were better than all before them, by number from 1, and their
            architectures; the last is the result.
        queries (int): n.
    """
    best: list[tuple[int, str]]
    queries: int

    @property
    def architecture(self) -> str:
        return self.best[-1][1]


class Queries:
    """A sampler's view of a table: its architectures, and the accuracies of ``number`` of them, one by one.

    Args:
        table (AccuracyTable): answers the queries.
        metric (str): of it; more is better.
        number (int): n.
        without (str, optional): a choice; architectures that have it are left out.

    Raises:
        TableError: if the table has not the metric, or ``without`` leaves out none or all of its architectures.
    """

    def __init__(self, table: AccuracyTable, metric: str, number: int, without: str | None = None) -> None:
        table.check_metrics([metric])
        self.strings = table.strings if without is None else table.strings_without(without)
        self._allowed = set(self.strings)
        self.table, self.metric, self.number = table, metric, number
        self.done = 0
        self.best: list[tuple[int, str]] = []
        self._best_value = float('-inf')

    @property
    def left(self) -> int:
        return self.number - self.done

    def neighbours(self, string: str) -> list[str]:
        return [neighbour for neighbour in self.table.neighbours(string) if neighbour in self._allowed]

    def ask(self, string: str) -> float:
        """The accuracy of an architecture; also of one that was asked for before, it is one query.

        Raises:
            RuntimeError: if no query is left.
        """
        if not self.left:
            raise RuntimeError(f'the sampler asks for more than its {self.number} queries')
        self.done += 1
        value = self.table.lookup(string)[self.metric]
        if value > self._best_value:
            self._best_value = value
            self.best.append((self.done, string))
        return value


class TableSampler(ABC):
    """A search by queries of a table. A subclass is registered in ``TABLE_SAMPLERS`` and implements :meth:`sample`.

    Args:
        queries (int): n, the budget.
        metric (str): the queried column, by which it selects; where the benchmark has one, an accuracy that is not the
            reported one.
        without (str, optional): a choice, such as ``none`` of an edge; architectures that have it are not queried.
            So a sampler has the same space as a search that doesn't derive the choice.
    """

    def __init__(self, queries: int, metric: str, without: str | None = None) -> None:
        _check_at_least(self, queries=(queries, 1))
        self.queries, self.metric, self.without = queries, metric, without

    def run(self, table: AccuracyTable, seed: int) -> Sampled:
        """The best architecture of n queries, a function of table and seed.

        Raises:
            TableError: if the table hasn't the metric, or too few architectures, or ``without`` leaves out none or all.
        """
        queries = Queries(table, self.metric, self.queries, self.without)
        self.sample(queries, random.Random(seed))
        return Sampled(queries.best, self.queries)

    @abstractmethod
    def sample(self, queries: Queries, generator: random.Random) -> None:
        """Asks until no query is left."""


def _check_at_least(sampler: object, **fields: tuple[int, int]) -> None:
    for name, (value, least) in fields.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f'{type(sampler).__name__}.{name}={value!r}: it must be a whole number from {least}')


@TABLE_SAMPLERS.register_module()
class RandomQueries(TableSampler):
    """n different architectures, each set of n as likely as another."""

    def sample(self, queries: Queries, generator: random.Random) -> None:
        if queries.left > len(queries.strings):
            raise TableError(f'{queries.table.file}: {len(queries.strings)} architectures; RandomQueries.queries='
                             f'{queries.left} must be at most that')
        for string in generator.sample(queries.strings, queries.left):
            queries.ask(string)


@TABLE_SAMPLERS.register_module()
class RegularizedEvolution(TableSampler):
    """Aging evolution (Real et al., *Regularized Evolution for Image Classifier Architecture Search*, AAAI 2019).

    The first ``population`` queries are random architectures. Each later one is a mutation of the best of
    ``sample_size`` random members; it joins the population, and the oldest member leaves. A mutation is a random one
    of the table's architectures that differ in one choice, such as the operation of an edge.

    Args:
        population (int): P; 10, as Dong and Yang take for NAS-Bench-201.
        sample_size (int): S; 3, as they do.
        without (str, optional): of :class:`TableSampler`.
    """

    def __init__(self, queries: int, metric: str, population: int = 10, sample_size: int = 3,
                 without: str | None = None) -> None:
        super().__init__(queries, metric, without)
        _check_at_least(self, population=(population, 1), sample_size=(sample_size, 1))
        if sample_size > population:
            raise ValueError(f'RegularizedEvolution.sample_size={sample_size}: it must be at most population, '
                             f'{population}')
        self.population, self.sample_size = population, sample_size

    def sample(self, queries: Queries, generator: random.Random) -> None:
        members: deque[tuple[float, str]] = deque(maxlen=self.population)  # the oldest leaves when one is added
        while queries.left:
            if len(members) < self.population:
                child = generator.choice(queries.strings)
            else:
                _, parent = max(generator.sample(members, self.sample_size), key=lambda member: member[0])
                neighbours = queries.neighbours(parent)
                if not neighbours:
                    raise TableError(f'{queries.table.file}: {parent!r}; no architecture in it differs in one choice, '
                                     'so that there is no mutation')
                child = generator.choice(neighbours)
            members.append((queries.ask(child), child))
