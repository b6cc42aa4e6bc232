"""The fusion of MTL-NAS: which stages of the tasks' networks feed which others, as a part of A."""
import math
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F

from ..layers.noise import logistic
from ..networks.fusion_edges import FUSION, INIT, fusion_edges
from .shared_choices import SharedChoices

REGULARIZER_WEIGHTS = dict(entropy=10., l1=5.)  # at the end of the search (Gao et al., 2020)


def bernoulli_entropy(logits):
    """Entropy of Bernoulli variables of these logits in nats, shaped as they are."""
    return F.softplus(logits) - logits * logits.sigmoid()


REGULARIZERS = dict(
    entropy=lambda logits: bernoulli_entropy(logits).mean(),  # each network has as many edges as any other
    l1=lambda logits: logits.sigmoid().mean())


@dataclass(frozen=True)
class FusionOptions:
    """``model.fusion`` of a config.

    Args:
        temperature_power (float): of the temperature ``(1 - fraction)^power``.
        min_temperature (float): its least value.
        regularizer (str): ``entropy``, the mean entropy of the edges, which
            makes each be on or off; ``l1``, the mean probability of the edges.
        regularizer_weight (float, optional): in A's loss at the end of the
            search, linear from 0; 10 for ``entropy`` and 5 for ``l1`` by default.
        init, learning_rate_factor (float): of :class:`FusedSupernet`.
    """
    temperature_power: float = 2.
    min_temperature: float = .01
    regularizer: str = 'entropy'
    regularizer_weight: float | None = None
    init: float = INIT
    learning_rate_factor: float = 1.

    @classmethod
    def of(cls, options):
        options = dict(options or {})
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise ValueError(f'model.fusion has {unknown}; it takes {known}')
        return cls(**options)

    def __post_init__(self):
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

    def fail(self, name, right):
        raise ValueError(f'model.fusion.{name}={getattr(self, name)!r} must {right}')

    @property
    def weight(self):
        """Of the regulariser at the end."""
        return REGULARIZER_WEIGHTS[self.regularizer] if self.regularizer_weight is None else self.regularizer_weight


class Fusion(SharedChoices):
    """A search space as the fusion sees it: the operations' choices, and one Bernoulli variable an edge.

    Args:
        space (SearchSpace): of the operations.
        tasks (tuple[str]): K names, in the order of the fused networks.
        options (FusionOptions): how the edges are made.
    """
    group = FUSION

    def __init__(self, space, tasks, options):
        super().__init__(space, tasks)
        self.options = options
        self.edges = fusion_edges(len(self.tasks), len(space.stage_channels))

    @property
    def samples(self):
        return True  # an edge at 0 isn't computed

    def group_shape(self):
        return len(self.edges), len(self.edges[0])

    def group_importance(self, logits):
        """The probabilities of the edges."""
        return logits.sigmoid()

    @property
    def temperature(self):
        return max((1 - self.fraction)**self.options.temperature_power, self.options.min_temperature)

    def draw(self, alphas, generator):
        """Besides the space's own, standard logistic noise for each edge."""
        found = super().draw(alphas, generator)
        return {**found, FUSION: logistic(alphas[FUSION], generator)}

    def edge_gates(self, logits, noise=None):
        """z [K, edges]: relaxed Bernoulli variables, ``sigmoid((logit + log u - log(1 - u)) / T)``.

        Without noise, 1 for the edges that are likelier on than off. While A is
        frozen all are 0: each network learns its own task alone, as the
        original's are trained before it fuses them.
        """
        if self.warming_up:
            return torch.zeros_like(logits)
        return self.chosen(logits).to(logits) if noise is None else ((logits + noise) / self.temperature).sigmoid()

    def with_edges(self, gates, edges):
        """The gates of :class:`FusedSupernet`: the space's, which all K networks share, and those of the edges."""
        inside = {f'encoders.{i}.{name}': gate for i in range(len(self.tasks)) for name, gate in gates.items()}
        return {**inside, f'gates.{FUSION}': edges}

    def gate_tensors(self, alphas, draw):
        return self.with_edges(super().gate_tensors(alphas, draw), self.edge_gates(alphas[FUSION], draw[FUSION]))

    def evaluation_gates(self, alphas):
        return self.with_edges(super().evaluation_gates(alphas), self.edge_gates(alphas[FUSION]))

    @staticmethod
    def chosen(logits):
        """bool [K, edges]"""
        return logits.detach() > 0

    def group_loss(self, logits):
        if not self.options.weight:
            return None
        return self.options.weight * self.fraction * REGULARIZERS[self.options.regularizer](logits)

    def sharing(self, logits):
        on = self.chosen(logits).flatten().tolist()
        edges = [[self.tasks[edge.target], edge.stage, self.tasks[edge.source], edge.source_stage]
                 for edge, is_on in zip(sum(self.edges, ()), on, strict=True) if is_on]
        return dict(method='fusion', tasks=list(self.tasks), edges=sorted(edges))
