"""The search space of P-DARTS, which is searched in phases: ``engine/launch/phases.py`` runs them."""
import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from ...progress import Progress
from ...registry import MODELS
from ...space_format import PhaseFormat, register_space
from .derivation import Nodes, limit_skips, strongest_edges
from .format import cell_format, read_cells
from .layout import CELLS, COLUMN, EDGES, OPERATIONS
from .picture import phases_figure
from .plan import Candidates, Mixture
from .supernet import CellSupernet
from .traits import CellTraits


def strongest_candidates(weights: Tensor, candidates: Candidates, number: int) -> list[tuple[str, ...]]:
    """The operations that each edge keeps for the next phase (Chen et al., 2019, Sec. 3.2).

    They are those with its ``number`` largest weights.

    Args:
        weights (Tensor): [14, n], softmaxed, one column per candidate.
        candidates (list[tuple[str]]): the n operations of each of the 14 edges.
        number (int): of operations to keep per edge.

    Returns:
        list[tuple[str]]: in the order of the candidates. If several weights are equal, the first are kept.
    """
    kept = []
    for row, names in zip(weights, candidates, strict=True):
        order = row.argsort(descending=True, stable=True)[:number].tolist()
        kept.append(tuple(names[i] for i in sorted(order)))
    return kept


def skip_dropout_rate(initial: float, progress: Progress, decay: float = .2) -> float:
    """The dropout of identities (Chen et al., 2019, Sec. 3.3), which falls in each of the two parts of a phase.

    In epoch e of E it is ``p0 (E - e - 1) / E`` while A is frozen (F epochs), and ``p0 exp(-.2 (e - F))`` afterwards.
    """
    epoch, frozen = progress.epoch, progress.warmup_epochs
    if epoch < frozen:
        return initial * (progress.max_epochs - epoch - 1) / progress.max_epochs
    return initial * math.exp(-decay * (epoch - frozen))


@MODELS.register_module()
class PDARTSSupernet(CellSupernet):
    """A phase of P-DARTS: some of DARTS's operations on each edge, dropout on the identities (Chen et al., 2019).

    Args:
        candidates (dict[str, list], optional): kind of cell -> the operations
            of each of the 14 edges, the same number per edge; all by default.
        skip_dropout (float): p0, the dropout of identities of stride 1 while
            weights train. Tests and the embeddings of a transfer don't use it.
        skip_limit (int, optional): the largest number of identities in a
            derived normal cell; None for no limit. The probabilities of
            :meth:`decision_probabilities` leave it out, since it acts on a
            whole cell.
        options: options of :class:`CellSupernet`.

    Raises:
        ValueError: if an argument is not valid.
    """
    name = 'pdarts'

    def __init__(self, candidates: Mapping[str, Candidates] | None = None, skip_dropout: float = 0.,
                 skip_limit: int | None = 2, **options: Any) -> None:
        self._candidates = check_candidates(candidates) if candidates else super().candidates()
        if not 0 <= skip_dropout < 1:
            raise ValueError(f'skip_dropout={skip_dropout} must be at least 0 and less than 1')
        if skip_limit is not None and skip_limit < 0:
            raise ValueError(f'skip_limit={skip_limit} must be at least 0, or None for no limit')
        self.initial_skip_dropout, self.skip_dropout, self.skip_limit = skip_dropout, 0., skip_limit
        self._columns = {kind: [[COLUMN[operation] for operation in edge] for edge in self._candidates[kind]]
                         for kind in CELLS}
        self._places: dict[tuple[str, torch.device], Tensor] = {}
        super().__init__(**options)

    def candidates(self) -> dict[str, list[tuple[str, ...]]]:
        return self._candidates

    @property
    def draws(self) -> bool:
        return self.initial_skip_dropout > 0

    def set_progress(self, progress: Progress | None) -> None:
        self.skip_dropout = 0. if progress is None else skip_dropout_rate(self.initial_skip_dropout, progress)

    @contextlib.contextmanager
    def deterministic(self) -> Iterator[None]:
        rate, self.skip_dropout = self.skip_dropout, 0.
        try:
            yield
        finally:
            self.skip_dropout = rate

    def alpha_shapes(self) -> dict[str, tuple[int, ...]]:
        return {kind: (len(EDGES), len(self._candidates[kind][0])) for kind in CELLS}

    def _all_columns(self, kind: str, values: Tensor) -> Tensor:
        """[14, n] by candidate -> [14, 8] by operation, zeros for dropped operations."""
        key = kind, values.device
        if key not in self._places:  # moved once, since a copy from the host waits, and can't be recorded
            self._places[key] = torch.tensor(self._columns[kind], device=values.device)
        return values.new_zeros(len(EDGES), len(OPERATIONS)).scatter(1, self._places[key], values)

    def mixtures(self) -> dict[str, Mixture]:
        rate = self.skip_dropout if self.training else 0.
        return {kind: Mixture(self.plan(kind, drops=rate > 0), self._all_columns(kind, self.gates[kind]), rate)
                for kind in CELLS}

    def weights(self, alphas: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {kind: self._all_columns(kind, rows) for kind, rows in self.importance(alphas).items()}

    def derive_cell(self, kind: str, importance: Mapping[str, Tensor]) -> Nodes:
        if kind == 'normal' and self.skip_limit is not None:
            return limit_skips(importance[kind], self.skip_limit)
        return strongest_edges(importance[kind])

    def next_candidates(self, alphas: Mapping[str, Tensor], number: int) -> dict[str, list[tuple[str, ...]]]:
        """The candidates of the next phase, ``number`` per edge: kind of cell -> the operations of each edge."""
        importance = self.importance(alphas)
        return {kind: strongest_candidates(importance[kind], self._candidates[kind], number) for kind in CELLS}


def check_candidates(candidates: Mapping[str, Candidates]) -> dict[str, list[tuple[str, ...]]]:
    """``candidates`` as tuples of names in the order of ``OPERATIONS``.

    Raises:
        ValueError: if they don't fit a cell.
    """
    if set(candidates) != set(CELLS):
        raise ValueError(f'candidates has {sorted(candidates)}; it takes {list(CELLS)}')
    checked = {}
    for kind in CELLS:
        rows = candidates[kind]
        if len(rows) != len(EDGES):
            raise ValueError(f'candidates.{kind} has {len(rows)} edges; a cell has {len(EDGES)}')
        for i, names in enumerate(rows):
            unknown = [name for name in names if name not in OPERATIONS]
            if unknown or len(set(names)) != len(names) or len(names) != len(rows[0]) or not names:
                raise ValueError(f'candidates.{kind}[{i}]={names!r}: it must be {len(rows[0])} different operations of '
                                 f'{", ".join(OPERATIONS)}')
        checked[kind] = [tuple(sorted(names, key=OPERATIONS.index)) for names in rows]
    return checked


PUBLISHED = dict(  # Chen et al., 2019 (P-DARTS)
    pdarts=read_cells(
        'skip-0 dil3-1 | skip-0 sep3-1 | sep3-1 sep3-3 | sep3-0 dil5-4',
        'avg-0 sep5-1 | sep3-0 dil5-2 | max-0 dil3-1 | dil3-1 dil5-3'))

register_space(cell_format(
    PDARTSSupernet.name, 'P-DARTS', CellTraits(narrows_candidates=True), published=PUBLISHED,
    phases=PhaseFormat(check=check_candidates, draw=phases_figure)))
