"""The search space of PR-DARTS."""
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmcv.cnn import build_norm_layer
from torch import Tensor
from torch.special import entr

from ...layers.noise import logistic
from ...progress import Progress
from ...registry import MODELS
from ...space_format import register_space
from ...transport import indices_on
from ..edge_norm import BATCH_STATISTICS, affine_norm_cfg
from .derivation import Nodes, strongest_pairs
from .format import cell_format, read_cells
from .layout import AVG_POOL, CELLS, COLUMN, CONVOLUTIONS, EDGES, MAX_POOL, NODES, NONE, OPERATIONS, SKIP
from .plan import Mixture
from .supernet import CellSupernet
from .traits import CellTraits

LOW, HIGH = -.1, 1.1  # a and b: a gate is stretched to this interval and then clipped
GROUPS = dict(skip=(SKIP, ), conv=(NONE, *CONVOLUTIONS), pool=(MAX_POOL, AVG_POOL))
COLUMNS = {name: tuple(COLUMN[operation] for operation in group) for name, group in GROUPS.items()}
CONVOLUTION_COLUMNS = tuple(COLUMN[operation] for operation in CONVOLUTIONS)
PATH = tuple(i for i, edge in enumerate(EDGES) if edge.predecessor == edge.node + 1)  # between neighbouring states


def hard_concrete(logits: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """Gates in [0, 1] (Zhou et al., 2020, Eq. 4).

    ``s = sigmoid((beta + noise) / tau)``, ``g = clip(a + (b - a) s, 0, 1)``; the noise is logistic.
    """
    return (LOW + (HIGH - LOW) * ((logits + noise) / temperature).sigmoid()).clamp(0, 1)


def activation_probability(logits: Tensor, temperature: float) -> Tensor:
    """``P(g > 0) = sigmoid(beta - tau ln(-a / b))`` (Zhou et al., 2020, Eq. 5)."""
    return (logits - temperature * math.log(-LOW / HIGH)).sigmoid()


def path_depth_regularization(probabilities: Mapping[str, Tensor], weights: Sequence[float],
                              threshold: float) -> Tensor:
    """The term that PR-DARTS adds to A's loss (Zhou et al., 2020, Eq. 9-11).

    ``l1 [P_skip - thr]+ + l2 ([P_conv - thr]+ + [P_pool - thr]+) - l3 / 2 sum_cells prod_path mean P``. A group's P is
    its mean activation probability over both cells; ``none`` counts as a convolution, as in the authors' code. The path
    runs over the edges between neighbouring states, with the mean over the convolutions on each edge.

    Args:
        probabilities (dict[str, Tensor]): kind of cell -> [14, 8].
        weights (tuple[float]): l1, l2, l3.
        threshold (float): thr.

    Returns:
        Tensor: a scalar.
    """
    both = torch.cat([probabilities[kind] for kind in CELLS])
    excess = {name: (both[:, indices_on(columns, both.device)].mean() - threshold).relu()
              for name, columns in COLUMNS.items()}
    edges, convolutions = (indices_on(places, both.device) for places in (PATH, CONVOLUTION_COLUMNS))
    paths = [probabilities[kind][edges][:, convolutions].mean(1).prod() for kind in CELLS]
    skip, others, path = weights
    return skip * excess['skip'] + others * (excess['conv'] + excess['pool']) - path * sum(paths) / len(paths)


@MODELS.register_module()
class PRDARTSSupernet(CellSupernet):
    """Hard-concrete gates, two computed operations per edge, path-depth regularisation (Zhou et al., 2020).

    As in the authors' code, norm and ReLU follow the last cell.

    Args:
        temperature (tuple[float]): tau at the start and at the end of the
            search, linear in between. The paper has 10 and .1. At 10 every
            activation probability is 1 and the regularisation has no gradient,
            so the default is that of the authors' code.
        regularization (tuple[float]): l1, l2, l3; zeros switch it off.
        threshold (float): the threshold of the regularisation. The paper
            doesn't state it.
        num_sampled (int): computed operations per edge and iteration.
        options: options of :class:`CellSupernet`.

    Raises:
        ValueError: if an argument is not valid.
    """
    name = 'prdarts'
    joins_operations = True

    def __init__(self, temperature: Sequence[float] = (1., .1), regularization: Sequence[float] = (.01, .005, .005),
                 threshold: float = .2, num_sampled: int = 2, **options: Any) -> None:
        super().__init__(**options)
        if len(temperature) != 2 or min(temperature) <= 0:
            raise ValueError(f'temperature={temperature!r} must be two positive numbers, at the start and the end')
        if len(regularization) != 3 or min(regularization) < 0:
            raise ValueError(f'regularization={regularization!r} must be three numbers, at least 0')
        if not 1 <= num_sampled <= len(OPERATIONS):
            raise ValueError(f'num_sampled={num_sampled} must be 1 to {len(OPERATIONS)}')
        norm_cfg = affine_norm_cfg(options.get('norm_cfg', BATCH_STATISTICS))
        self.last_norm = build_norm_layer(norm_cfg, NODES * 4 * self.channels)[1]
        self.temperatures = tuple(temperature)
        self.regularization = tuple(regularization)
        self.threshold = threshold
        self.num_sampled = num_sampled
        self.set_progress(None)

    @property
    def samples(self) -> bool:
        return True

    def set_progress(self, progress: Progress | None) -> None:
        start, end = self.temperatures
        done = 1. if progress is None else progress.fraction
        self.temperature = start * (1 - done) + end * done

    def importance(self, alphas: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Activation probabilities; their rows don't sum to 1."""
        return {kind: activation_probability(alpha, self.temperature) for kind, alpha in alphas.items()}

    def entropy(self, alphas: Mapping[str, Tensor]) -> Tensor:
        probabilities = torch.cat(list(self.importance(alphas).values()))
        return (entr(probabilities) + entr(1 - probabilities)).mean()

    def draw(self, alphas: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Logistic noise for each gate."""
        return {kind: logistic(alpha, generator) for kind, alpha in alphas.items()}

    def gate_tensors(self, alphas: Mapping[str, Tensor], draw: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """1 for the largest gates of an edge, with the gradient of the gate; 0 for operations that are not computed."""
        return {f'gates.{kind}': self._straight_through(alpha, draw[kind]) for kind, alpha in alphas.items()}

    def _straight_through(self, logits: Tensor, noise: Tensor) -> Tensor:
        gates = hard_concrete(logits, noise, self.temperature)
        chosen = torch.zeros_like(gates, dtype=torch.bool)
        # by logits: gates that are clipped, or whose sigmoid is 0 or 1 in float32, are equal
        chosen.scatter_(1, (logits + noise).detach().topk(self.num_sampled).indices, True)
        return torch.where(chosen, 1 + (gates - gates.detach()), gates * 0)

    def evaluation_gates(self, alphas: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The gates without noise."""
        return self.gate_tensors(alphas, {kind: torch.zeros_like(alpha) for kind, alpha in alphas.items()})

    def architecture_loss(self, alphas: Mapping[str, Tensor]) -> Tensor | None:
        if not any(self.regularization):
            return None
        return path_depth_regularization(self.importance(alphas), self.regularization, self.threshold)

    def blocks(self) -> dict[str, tuple[str, ...]]:
        """The last norm belongs to the last cell."""
        blocks = super().blocks()
        last = f'cell{self.layers}'
        return {**blocks, last: (*blocks[last], 'last_norm')}

    def finish(self, x: Tensor) -> Tensor:
        return self.last_norm(x.contiguous()).relu()  # an affine norm, which channels last would break as in the stem

    def mixtures(self) -> dict[str, Mixture]:
        return {kind: Mixture(self.plan(kind, self.gates.chosen(kind)), self.gates[kind]) for kind in CELLS}

    def derive_cell(self, kind: str, importance: Mapping[str, Tensor]) -> Nodes:
        return strongest_pairs(importance[kind])


PUBLISHED = dict(  # Zhou et al., 2020 (PR-DARTS)
    pr_darts=read_cells(
        'skip-0 sep3-1 | dil3-2 sep3-0 | dil3-3 sep3-1 | dil3-4 dil3-1',
        'avg-0 dil5-1 | sep3-0 dil5-2 | sep5-1 dil3-3 | dil5-4 dil5-1'))

TRAITS = CellTraits(has_activation_probabilities=True, joins_operations=True)
register_space(cell_format(PRDARTSSupernet.name, 'PR-DARTS', TRAITS, published=PUBLISHED))
