"""The term of A's loss that prices an architecture or holds it at a target: its size, operations or latency."""
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ...analysis.cost_table import (
    IMAGE_SIZE,
    CostTable,
    Macs,
    Shape,
    cost_format,
    cost_table,
    image_shape,
    parameters,
    shown_cost,
)
from ...analysis.latency_file import read_latency
from ...genotype import Genotype
from ...networks.build import shared_options
from ...spaces.base import Choices
from ...transport import to_device, to_host

QUANTITIES = ('MACs', 'Parameters', 'Latency')
ROUNDING = 1e-9  # a smaller gain in the distance from a target is none
MISSED = .05  # the distance from a target, relative to it, that a search warns of at its end


def check_number(name: str, value: float, zero: bool = False) -> None:
    """Raises ValueError unless ``model.cost.{name}`` is a finite number above 0, or at least 0."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or value < 0 or value == 0 and not zero:
        raise ValueError(f'model.cost.{name}={value!r} must be a finite number {"from 0 on" if zero else "above 0"}')


def table_of(quantity: str, genotype: Genotype, options: Mapping[str, Any], shape: Shape, file: str | None
             ) -> CostTable:
    """The costs of a space's candidates.

    Args:
        quantity (str): of ``QUANTITIES``.
        genotype (Genotype): any architecture of the space.
        options (dict): of the derived network.
        shape (tuple[int]): (channels, height, width) of an image.
        file (str, optional): of the measured latencies.

    Raises:
        ValueError: if the file is missing, superfluous or of other networks.
    """
    if (file is None) == (quantity == 'Latency'):
        raise ValueError("model.cost.table: is missing; type='Latency' needs a file of tools/measure_latency.py"
                         if file is None else f"model.cost.table={file!r} is for type='Latency'; {quantity} are "
                         'counted')
    if quantity == 'Parameters':
        return cost_table(genotype, options, shape, parameters)
    macs = cost_table(genotype, options, shape, Macs())
    return macs if file is None else read_latency(file, genotype.space, shape, options, macs)


class CostTerm(nn.Module):
    """``model.cost`` of a search: a term for the cost of the derived backbone, without any head.

    A derivation makes independent decisions n, such as the choice of a layer
    (:meth:`SearchSpace.decisions`). Importance weights draw outcome o of a
    decision with probability ``p_no(A)``, and it costs ``c_no``. The expected
    cost is ``E = fixed + sum_no p_no c_no``; the derived architecture costs D.

    Without a target, the term is the price ``weight E / mean``, with the mean
    of E at equal weights (ProxylessNAS, Cai et al., 2019, Eq. 9).

    With a target c, the term is ``weight d(D)``, where
    ``d(x) = max(|x / c - 1| - tolerance, 0)`` is the absolute reward of TuNAS
    (Bender et al., 2020, Sec. 3.3) with a tolerance. D is constant between two
    changes of the architecture. The term's gradient is therefore that of
    ``sum_no p_no d(D - c_n + c_no)``, with the present cost c_n of decision n:
    each decision is drawn once, while all others stay as derived (local
    expectation gradients, Titsias and Lazaro-Gredilla, 2015). Far from the
    target it is ``sign(D - c) grad E / c``. Near it, outcomes that would leave
    the target lose weight. ``|E / c - 1|`` would not do: a wide distribution of
    mean c may have any architecture as its likeliest.

    The losses of the tasks may hold D off the target. So the weight grows, as
    the multiplier of a constraint does (LightNAS, Luo et al., 2021): it is
    ``weight growth^s``, where s is the share of A's steps so far at which D was
    off the target by more than the tolerance, though another outcome of a
    single decision was nearer. It never falls.

    The cost is that of a single network; shared parts of tasks don't enter it.

    Args:
        space (Choices): the space of the search.
        alphas (dict[str, Tensor]): A; any values.
        search_space (dict): config of the space. The derived network takes its
            scale, as in ``tools/derive.py``.
        type (str): ``MACs``, the multiply-accumulates of an image;
            ``Parameters``; or ``Latency``, the milliseconds of an image.
        target (float, optional): c; without it the cost has a price.
        weight (float): of the term; normalised validation losses are about 1.
        tolerance (float): the relative distance from a target that is free.
        growth (float): the factor by which the weight grows in a search that
            is off its target throughout; 1 keeps it.
        shape (int | tuple[int], optional): the side of the image, or (height,
            width), for ``MACs`` and ``Latency``; 224 by default.
        network (dict, optional): more options of the derived network, such as
            the ``channels`` and ``layers`` of a retraining.
        table (str, optional): for ``Latency``, the file of
            ``tools/measure_latency.py``. It must be of this space, network and
            image.
        unknown: raises ValueError.

    Raises:
        ValueError: if an option is not valid, no architecture of the space
            costs as little or as much as the target, or the space counts no
            costs.
    """
    costs: Tensor
    exists: Tensor  # of the decisions' outcomes, [decisions, outcomes]
    missed: Tensor  # shares of A's steps: those before the last one, -1 at the start; those that missed a target; [2]

    def __init__(self, space: Choices, alphas: Mapping[str, Tensor], search_space: Mapping[str, Any],
                 type: str | None = None, target: float | None = None, weight: float = 1.,
                 tolerance: float | None = None, growth: float | None = None,
                 shape: int | Sequence[int] | None = None, network: Mapping[str, Any] | None = None,
                 table: str | None = None, **unknown: Any) -> None:
        super().__init__()
        if unknown:
            raise ValueError(f'model.cost has {sorted(unknown)}; it takes type, target, weight, tolerance, '
                             'growth, shape, network and table')
        if type not in QUANTITIES:
            raise ValueError(f'model.cost.type={type!r} is not one of {QUANTITIES}')
        if type == 'Parameters' and shape is not None:
            raise ValueError(f"model.cost.shape={shape!r} is for type='MACs' or 'Latency'; {type} don't depend on an "
                             'image')
        check_number('weight', weight)
        if target is not None:
            check_number('target', target)
        for name, value in (('tolerance', tolerance), ('growth', growth)):
            if target is None and value is not None:
                raise ValueError(f'model.cost.{name}={value!r} is for a target, which model.cost lacks')
        self.quantity, self.target, self.weight = type, target, weight
        self.tolerance = .02 if tolerance is None else tolerance
        check_number('tolerance', self.tolerance, zero=True)
        self.growth = 100. if growth is None else growth
        check_number('growth', self.growth)
        if self.growth < 1:
            raise ValueError(f'model.cost.growth={self.growth!r} must be at least 1')
        genotype = space.derive(to_host(alphas))
        options = {**shared_options(genotype.space, search_space), **(network or {})}
        self.table = table_of(type, genotype, options, image_shape(IMAGE_SIZE if shape is None else shape), table)
        self.chosen = cost_format(genotype.space).chosen
        decisions = space.decisions()
        self.decision_of = {candidate: n for n, outcomes in enumerate(decisions) for outcome in outcomes
                            for candidate in outcome}
        if not self.decision_of.keys() & set(self.chosen(genotype.architecture)):
            raise ValueError(f'model.cost: the candidates of SpaceFormat.cost of {genotype.space} are in none of the '
                             "supernet's decisions()")
        costs = [torch.tensor([self.table.sum_of(outcome) for outcome in outcomes], dtype=torch.float64)
                 for outcomes in decisions]
        self.range = tuple(self.table.fixed + sum(bounds) for bounds in zip(
            *((float(row.min()), float(row.max())) for row in costs), strict=True))
        if target is not None and not self.range[0] <= target <= self.range[1]:
            low, high = (shown_cost(type, bound) for bound in self.range)
            raise ValueError(f'model.cost.target={target:,} is out of reach: an architecture of {genotype.space} has '
                             f'{low} to {high} {type}')
        self.register_buffer('costs', pad_sequence(costs, batch_first=True), persistent=False)
        exists = pad_sequence([torch.ones_like(row, dtype=torch.bool) for row in costs], batch_first=True)
        self.register_buffer('exists', exists, persistent=False)
        self.register_buffer('missed', torch.tensor([-1., 0.], dtype=torch.float64), persistent=target is not None)
        self.mean = float(self.expected(self.probabilities(
            space, {name: torch.zeros_like(alpha) for name, alpha in alphas.items()})))

    def probabilities(self, space: Choices, alphas: Mapping[str, Tensor]) -> Tensor:
        """p, [decisions, outcomes], with zeros where a decision has fewer outcomes."""
        return pad_sequence(space.decision_probabilities(alphas), batch_first=True)

    def expected(self, probabilities: Tensor) -> Tensor:
        """E, a scalar."""
        return self.table.fixed + (probabilities * self.costs.to(probabilities)).sum()

    def derived(self, space: Choices, alphas: Mapping[str, Tensor]) -> tuple[float, list[float]]:
        """D, and its part of each decision. The host reads A."""
        chosen = self.chosen(space.derive(to_host(alphas)).architecture)
        parts = [0.] * len(self.costs)
        for candidate in chosen:
            # P-DARTS's limit of identities may leave an edge an operation that its phase has dropped
            if candidate in self.decision_of:
                parts[self.decision_of[candidate]] += self.table.sum_of([candidate])
        return self.table.total(chosen), parts

    def missed_target(self, space: Choices, alphas: Mapping[str, Tensor]) -> str | None:
        """A warning if D is more than ``MISSED`` and the tolerance off the target; ``None`` otherwise."""
        if self.target is None:
            return None
        cost = self.derived(space, alphas)[0]
        distance = abs(cost / self.target - 1)
        if distance <= max(MISSED, self.tolerance):
            return None
        derived, target = (shown_cost(self.quantity, value) for value in (cost, self.target))
        return (f'model.cost.target: the derived architecture has {derived} {self.quantity}, {distance:.0%} off the '
                f'target of {target}. Raise model.cost.weight, train longer, or choose a target that more '
                'architectures are near: the term moves one choice at a time')

    def deviation(self, costs: Tensor, target: float) -> Tensor:
        """d, elementwise."""
        return ((costs / target - 1).abs() - self.tolerance).clamp_min(0)

    @torch.no_grad()
    def grown_weight(self, missed: Tensor, done: Tensor) -> Tensor:
        """The weight, a scalar, after the state has noted a step.

        Args:
            missed (Tensor): scalar of bool, whether D could be nearer to the target.
            done (Tensor): scalar, the share of A's steps that come before this one.
        """
        before, missed_before = self.missed
        share = torch.where(before < 0, 0, done - before)  # 0 at the first step, and at further ones of an iteration
        self.missed.copy_(torch.stack([done, missed_before + share * missed]))
        return self.weight * self.growth ** self.missed[1]

    def forward(self, space: Choices, alphas: Mapping[str, Tensor], done: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The term of a step of A, a scalar, and the figures of the log.

        Args:
            space (Choices): the space of the search.
            alphas (dict[str, Tensor]): A.
            done (Tensor): float64 scalar, the share of A's steps that come before this one.

        Returns:
            (Tensor, dict[str, Tensor]): the term; ``cost/expected``,
            ``cost/derived`` and ``cost/term``, with a target also
            ``cost/weight``.
        """
        probabilities = self.probabilities(space, alphas)
        expected = self.expected(probabilities)
        derived, parts = to_device(
            [torch.tensor(value, dtype=torch.float64) for value in self.derived(space, alphas)], self.costs.device)
        figures = {'cost/expected': expected.detach(), 'cost/derived': derived}
        if self.target is None:
            term = self.weight * expected / self.mean
        else:
            deviation = self.deviation(derived, self.target)
            redrawn = self.deviation(derived - parts[:, None] + self.costs.to(parts), self.target)
            nearer = (self.exists & (redrawn < deviation - ROUNDING)).any()
            weight = figures['cost/weight'] = self.grown_weight(nearer, done).to(expected)
            local = (probabilities * redrawn.to(probabilities)).sum()
            term = weight * (deviation.to(expected) + (local - local.detach()))
        return term, {**figures, 'cost/term': term.detach()}
