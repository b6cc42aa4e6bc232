"""The fusion of MTL-NAS: a group of A decides which stages of a task's network read those of other tasks' networks."""
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NoReturn, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from ...layers.noise import logistic
from ...networks.fusion_edges import FUSION, INIT, fusion_edges
from ...spaces.base import SearchSpace
from .base import SharedChoices

REGULARIZER_WEIGHTS = dict(entropy=10., l1=5.)  # at the end of the search (Gao et al., 2020)


def bernoulli_entropy(logits: Tensor) -> Tensor:
    """The entropy of Bernoulli variables with these logits in nats, in the shape of the logits."""
    return F.softplus(logits) - logits * logits.sigmoid()


REGULARIZERS = dict(
    entropy=lambda logits: bernoulli_entropy(logits).mean(),  # all networks have the same number of edges
    l1=lambda logits: logits.sigmoid().mean())


@dataclass(frozen=True)
class FusionOptions:
    """``model.fusion`` of a config.

    Args:
        temperature_power (float): the power in the temperature
            ``(1 - fraction)^power``.
        min_temperature (float): the lowest temperature.
        regularizer (str): ``entropy``, the mean entropy of the edges, which
            drives each edge to on or off; ``l1``, the mean probability of the
            edges.
        regularizer_weight (float, optional): the weight in A's loss at the end
            of the search; it grows linearly from 0. By default 10 for
            ``entropy`` and 5 for ``l1``.
        init, learning_rate_factor (float): options of :class:`FusedSupernet`.

    Raises:
        ValueError: if an argument is not valid.
    """
    temperature_power: float = 2.
    min_temperature: float = .01
    regularizer: str = 'entropy'
    regularizer_weight: float | None = None
    init: float = INIT
    learning_rate_factor: float = 1.

    @classmethod
    def of(cls, options: Mapping[str, Any] | None) -> Self:
        """The options of a config.

        Raises:
            ValueError: if the config has an unknown option, or an option is not valid.
        """
        options = dict(options or {})
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise ValueError(f'model.fusion has {unknown}; it takes {known}')
        return cls(**options)

    def __post_init__(self) -> None:
        if self.regularizer not in tuple(REGULARIZERS):
            self.fail('regularizer', f'be one of {list(REGULARIZERS)}')
        for name, right, good in (('temperature_power', 'be a positive number', lambda value: value > 0),
                                  ('min_temperature', 'be above 0 and at most 1', lambda value: 0 < value <= 1),
                                  ('regularizer_weight', 'be a number from 0 on', lambda value: value >= 0),
                                  ('init', 'be a number from 0 on', lambda value: value >= 0),
                                  ('learning_rate_factor', 'be a positive number', lambda value: value > 0)):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if not (number and good(value)) and (name, value) != ('regularizer_weight', None):
                self.fail(name, right)

    def fail(self, name: str, right: str) -> NoReturn:
        """Raises ValueError about an option."""
        raise ValueError(f'model.fusion.{name}={getattr(self, name)!r} must {right}')

    @property
    def weight(self) -> float:
        """The weight of the regulariser at the end of the search."""
        return REGULARIZER_WEIGHTS[self.regularizer] if self.regularizer_weight is None else self.regularizer_weight


class Fusion(SharedChoices):
    """The choices of operations, and a Bernoulli variable per edge.

    Args:
        space (SearchSpace): the space of the operations.
        tasks (tuple[str]): the names of the K tasks, in the order of the fused
            networks.
        options (FusionOptions): the options of the edges.
    """
    group = FUSION

    def __init__(self, space: SearchSpace, tasks: Sequence[str], options: FusionOptions) -> None:
        super().__init__(space, tasks)
        self.options = options
        self.edges = fusion_edges(len(self.tasks), len(space.stage_channels))

    @property
    def samples(self) -> bool:
        return True  # an edge at 0 isn't computed

    def group_shape(self) -> tuple[int, ...]:
        return len(self.edges), len(self.edges[0])

    def group_importance(self, logits: Tensor) -> Tensor:
        """The probabilities of the edges."""
        return logits.sigmoid()

    @property
    def temperature(self) -> float:
        return max((1 - self.fraction)**self.options.temperature_power, self.options.min_temperature)

    def draw(self, alphas: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """The draw of the space, and standard logistic noise for each edge."""
        return {**super().draw(alphas, generator), FUSION: logistic(alphas[FUSION], generator)}

    def edge_gates(self, logits: Tensor, noise: Tensor | None = None) -> Tensor:
        """z [K, edges]: relaxed Bernoulli variables, ``sigmoid((logit + log u - log(1 - u)) / T)``.

        Without noise, edges with a probability above one half have 1. While A
        is frozen all edges have 0: each network learns only its task, as the
        original method trains the networks before their fusion.
        """
        if self.warming_up:
            return torch.zeros_like(logits)
        return self.chosen(logits).to(logits) if noise is None else ((logits + noise) / self.temperature).sigmoid()

    def with_edges(self, gates: Mapping[str, Tensor], edges: Tensor) -> dict[str, Tensor]:
        """The gates of :class:`FusedSupernet`: those of the space for each of K networks, and those of the edges."""
        inside = {f'encoders.{i}.{name}': gate for i in range(len(self.tasks)) for name, gate in gates.items()}
        return {**inside, f'gates.{FUSION}': edges}

    def gate_tensors(self, alphas: Mapping[str, Tensor], draw: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return self.with_edges(super().gate_tensors(alphas, draw), self.edge_gates(alphas[FUSION], draw[FUSION]))

    def evaluation_gates(self, alphas: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return self.with_edges(super().evaluation_gates(alphas), self.edge_gates(alphas[FUSION]))

    @staticmethod
    def chosen(logits: Tensor) -> Tensor:
        """Whether each edge is on, bool [K, edges]."""
        return logits.detach() > 0

    def group_loss(self, logits: Tensor) -> Tensor | None:
        if not self.options.weight:
            return None
        return self.options.weight * self.fraction * REGULARIZERS[self.options.regularizer](logits)

    def sharing(self, logits: Tensor) -> dict[str, Any]:
        on = self.chosen(logits).flatten().tolist()
        edges = [[self.tasks[int(edge.target)], edge.stage, self.tasks[int(edge.source)], edge.source_stage]
                 for edge, is_on in zip(itertools.chain(*self.edges), on, strict=True) if is_on]
        return dict(method='fusion', tasks=list(self.tasks), edges=sorted(edges))
