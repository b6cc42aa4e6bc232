"""A tabular benchmark: the accuracies of the architectures of a space, each trained in full by the benchmark's authors.

A search of the space is judged by looking its architecture up.
"""
import csv
import functools
import gzip
import hashlib
import io
import math
import statistics
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..genotype import Genotype, GenotypeError, genotype_from_string
from ..space_format import SpaceFormat, format_of, registered_spaces

ARCHITECTURE = 'architecture'  # the column of the strings
NUMBERING = 'index'  # a column that numbers the rows, which is no metric


_Path = tuple[int | str, ...]  # of a value in an architecture's dict
_Leaves = tuple[tuple[_Path, Any], ...]


class TableError(ValueError):
    """``<file>: <line>: <column>: <bad value>; <what would be right>``."""


@dataclass(frozen=True)
class Standing:
    """An architecture's place in a table, by one metric.

    Args:
        value (float): the metric; more is better.
        rank (int): 1 is the best; equal values share their best rank.
        percentile (float): share of the table's other architectures that are not better, in %:
            ``100 (n - rank) / (n - 1)``; 100 for the best.
        regret (float): how far the value is below the best of the table.
    """
    value: float
    rank: int
    percentile: float
    regret: float


class AccuracyTable:
    """The accuracies of architectures, by their strings in the notation of the benchmark. :func:`read_table` makes it.

    Args:
        file (str): it was read from.
        sha256 (str): of what the file holds, unpacked.
        space (str): name of the architectures' :class:`SpaceFormat`.
        strings (list[str]): the architectures, as ``SpaceFormat.to_string`` writes them.
        values (dict[str, ndarray]): metric -> float64 [architectures]; more is better.
    """

    def __init__(self, file: str, sha256: str, space: str, strings: list[str], values: dict[str, np.ndarray]) -> None:
        self.file, self.sha256, self.space, self.strings, self.values = file, sha256, space, strings, values
        self._places = {string: place for place, string in enumerate(strings)}
        self._sorted = {metric: np.sort(column) for metric, column in values.items()}

    def __len__(self) -> int:
        return len(self.strings)

    def __contains__(self, string: str) -> bool:
        """Whether the table has the architecture of a string that ``SpaceFormat.to_string`` wrote."""
        return string in self._places

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(self.values)

    def check_metrics(self, metrics: Sequence[str]) -> None:
        """Raises :class:`TableError` for a metric that the table has not."""
        for metric in metrics:
            if metric not in self.values:
                raise TableError(f'{self.file}: line 1: {metric!r}; it must be one of the metrics '
                                 f'{", ".join(self.values)}')

    def check_space(self, space: str) -> None:
        """Raises :class:`TableError` if the table is of another space."""
        if space != self.space:
            raise TableError(f"{self.file}: the architecture is of the space {space!r}; it must be of the table's, "
                             f'{self.space!r}')

    def string_of(self, genotype: Genotype) -> str:
        """The architecture in the notation of the benchmark.

        Raises:
            TableError: if it is of another space.
        """
        self.check_space(genotype.space)
        return _notation(format_of(genotype.space))[0](genotype.architecture)

    def place(self, architecture: Genotype | str) -> int:
        """The place of an architecture, or of a string as ``SpaceFormat.to_string`` writes it, in ``strings``.

        Raises:
            TableError: if it is of another space, or not in the table.
        """
        string = architecture if isinstance(architecture, str) else self.string_of(architecture)
        if string not in self._places:
            raise TableError(f'{self.file}: {string!r}; it must be one of the {len(self):,} architectures in the table')
        return self._places[string]

    def lookup(self, architecture: Genotype | str) -> dict[str, float]:
        """Metric -> value, as in the table; an equal network under another string has an entry of its own.

        Raises:
            TableError: as :meth:`place`.
        """
        place = self.place(architecture)
        return {metric: float(column[place]) for metric, column in self.values.items()}

    def standing(self, architecture: Genotype | str) -> dict[str, Standing]:
        """Metric -> :class:`Standing`.

        Raises:
            TableError: as :meth:`place`.
        """
        standings = {}
        for metric, value in self.lookup(architecture).items():
            rank = len(self) - int(np.searchsorted(self._sorted[metric], value, 'right')) + 1
            percentile = 100 * (len(self) - rank) / (len(self) - 1) if len(self) > 1 else 100.
            standings[metric] = Standing(value, rank, percentile, self.best(metric) - value)
        return standings

    @functools.cached_property
    def _architectures(self) -> tuple[dict[str, _Leaves], dict[_Leaves, str], dict[_Path, dict[Any, None]]]:
        """String -> leaves, leaves -> string, and the values of each leaf over all architectures, in their order."""
        read = _notation(format_of(self.space))[1]
        leaves_of = {string: tuple(_leaves(read(string))) for string in self.strings}
        values: dict[_Path, dict[Any, None]] = {}
        for leaves in leaves_of.values():
            for path, value in leaves:
                values.setdefault(path, {})[value] = None
        return leaves_of, {leaves: string for string, leaves in leaves_of.items()}, values

    def neighbours(self, string: str) -> list[str]:
        """The table's architectures that differ from one in one value of their dicts, such as an edge's operation.

        Raises:
            TableError: if the string is not in the table.
        """
        leaves_of, strings, values = self._architectures
        leaves = leaves_of[self.strings[self.place(string)]]
        changed = (leaves[:i] + ((path, value), ) + leaves[i + 1:] for i, (path, present) in enumerate(leaves)
                   for value in values[path] if value != present)
        return [strings[neighbour] for neighbour in changed if neighbour in strings]

    def strings_without(self, value: str) -> list[str]:
        """The architectures that make this choice nowhere, such as ``none`` of an edge.

        Raises:
            TableError: if no architecture of the table has the choice, or each has it.
        """
        leaves_of, _, _ = self._architectures
        left = [string for string, leaves in leaves_of.items() if all(choice != value for _, choice in leaves)]
        if len(left) in (0, len(self)):
            raise TableError(f'{self.file}: {value!r}; it must be a choice that some architectures have and some have '
                             'not')
        return left

    def mean(self, metric: str) -> float:
        """The average of a random architecture."""
        return statistics.fmean(self.values[metric].tolist())

    def best(self, metric: str) -> float:
        return float(self._sorted[metric][-1])


def read_table(file: str | Path, metrics: Sequence[str] | None = None) -> AccuracyTable:
    """Read a table: CSV, or CSV packed by gzip (its name ends with ``.gz``).

    Its first line names the columns: ``architecture``, and metrics, of which more is better. A column ``index`` is
    left out. A file that has not changed is read once per process.

    Args:
        file (str | Path): of the table.
        metrics (list[str], optional): by default all of its columns.

    Raises:
        TableError: naming file and line, where the file can't be read or lacks a column; a string is of no registered
            space, or of another one than the first; two rows are of one architecture; a number isn't finite.
    """
    path = Path(file)
    try:
        stat = path.stat()
    except OSError as error:
        raise TableError(f'{file}: cannot be read ({error.strerror}); it must be a table, CSV or CSV packed by gzip '
                         '(.gz)') from error
    return _read(str(file), None if metrics is None else tuple(metrics), stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=8)
def _read(file: str, metrics: tuple[str, ...] | None, *_: int) -> AccuracyTable:
    try:
        data = Path(file).read_bytes()
        data = gzip.decompress(data) if file.endswith('.gz') else data
        text = data.decode('utf-8')
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise TableError(f'{file}: cannot be read ({error}); it must be a table, CSV or CSV packed by gzip '
                         '(.gz)') from error
    lines = csv.reader(io.StringIO(text, newline=''))
    try:
        rows_of_text = [(lines.line_num, cells) for cells in lines]
    except csv.Error as error:
        raise TableError(f'{file}: line {lines.line_num}: {error}; it must be a line of CSV') from error
    header = rows_of_text[0][1] if rows_of_text else []
    names, places = _columns(file, header, metrics)
    place = header.index(ARCHITECTURE)
    strings: dict[str, int] = {}  # -> its line
    rows = []
    notation = None
    for number, cells in rows_of_text[1:]:
        if not cells:
            continue  # a blank line
        where = f'{file}: line {number}'
        if len(cells) != len(header):
            raise TableError(f'{where}: {len(cells)} cells; it must have {len(header)}, as the first line')
        if notation is None:
            notation = _Notation(where, cells[place])
        string = notation.canonical(where, cells[place])
        if string in strings:
            raise TableError(f'{where}: {ARCHITECTURE}: {cells[place]!r}; line {strings[string]} has this architecture '
                             'already')
        strings[string] = number
        rows.append([_number(cells[i], where, name) for name, i in zip(names, places, strict=True)])
    if notation is None:
        raise TableError(f'{file}: line 2: is missing; a table has at least one architecture')
    values = np.array(rows, dtype=np.float64).T
    return AccuracyTable(file, hashlib.sha256(data).hexdigest(), notation.space, list(strings),
                         dict(zip(names, values, strict=True)))


def _columns(file: str, header: list[str], metrics: tuple[str, ...] | None) -> tuple[list[str], list[int]]:
    """Names and places of the metrics."""
    where = f'{file}: line 1'
    for name in header:
        if header.count(name) > 1:
            raise TableError(f'{where}: {name!r}: is there twice; a column has a name of its own')
    for name in (ARCHITECTURE, *(metrics or ())):
        if name not in header:
            raise TableError(f'{where}: the column {name!r} is missing; it has {", ".join(header)}')
    names = list(metrics or (name for name in header if name not in (ARCHITECTURE, NUMBERING)))
    if not names:
        raise TableError(f'{where}: {", ".join(header)}; a table has a metric beside {ARCHITECTURE!r}')
    return names, [header.index(name) for name in names]


def _number(cell: str, where: str, column: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise TableError(f'{where}: {column}: {cell!r}; it must be a finite number')
    return value


def _leaves(value: Any, path: _Path = ()) -> Iterator[tuple[_Path, Any]]:
    """The values in an architecture's dict, each with its path."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(item, (*path, key))
    else:
        yield path, value


def _notation(space_format: SpaceFormat) -> tuple[Callable[[dict], str], Callable[[str], dict | None]]:
    """The space's ``to_string`` and ``from_string``."""
    if space_format.to_string is None or space_format.from_string is None:
        raise ValueError(f'SpaceFormat.to_string of {space_format.name!r} is missing; without it no table lists the '
                         'architectures of the space')
    return space_format.to_string, space_format.from_string


class _Notation:
    """The notation of a table: that of the space of its first string."""

    def __init__(self, where: str, string: str) -> None:
        genotype = self._genotype(where, string)
        if genotype is None:
            known = [name for name, space_format in registered_spaces().items() if space_format.from_string is not None]
            raise TableError(f'{where}: {ARCHITECTURE}: {string!r}; it must be in the notation of a registered space: '
                             f'{", ".join(known) or "none has one"}')
        self.space = genotype.space
        self.to_string, self.from_string = _notation(format_of(self.space))

    def canonical(self, where: str, string: str) -> str:
        """The string as ``to_string`` writes it."""
        try:
            architecture = self.from_string(string)
        except ValueError as error:
            raise TableError(f'{where}: {ARCHITECTURE}: {string!r}; {error}') from error
        if architecture is None:
            other = self._genotype(where, string)
            raise TableError(f'{where}: {ARCHITECTURE}: {string!r}; it must be of the space {self.space}, as line 2'
                             + (f', and is of {other.space}' if other else ''))
        return self.to_string(architecture)

    @staticmethod
    def _genotype(where: str, string: str) -> Genotype | None:
        try:
            return genotype_from_string(string)
        except GenotypeError as error:
            raise TableError(f'{where}: {error}') from error
