"""The search space of PR-DARTS."""
import math

import torch
from mmcv.cnn import build_norm_layer
from torch.special import entr

from ...layers.noise import logistic
from ...registry import MODELS
from ...space_format import register_space
from ..edge_norm import BATCH_STATISTICS
from .derivation import strongest_pairs
from .format import cell_format, read_cells
from .layout import AVG_POOL, CELLS, COLUMN, CONVOLUTIONS, EDGES, MAX_POOL, NODES, NONE, OPERATIONS, SKIP
from .plan import Mixture
from .supernet import CellSupernet, affine_norm_cfg
from .traits import CellTraits

LOW, HIGH = -.1, 1.1  # a and b, the ends that a gate is stretched to before it is clipped
GROUPS = dict(skip=(SKIP, ), conv=(NONE, *CONVOLUTIONS), pool=(MAX_POOL, AVG_POOL))
COLUMNS = {name: [COLUMN[operation] for operation in group] for name, group in GROUPS.items()}
CONVOLUTION_COLUMNS = [COLUMN[operation] for operation in CONVOLUTIONS]
PATH = [i for i, edge in enumerate(EDGES) if edge.predecessor == edge.node + 1]  # between neighbouring states


def hard_concrete(logits, noise, temperature):
    """Gates in [0, 1] (Zhou et al., 2020, Eq. 4).

    ``s = sigmoid((beta + noise) / tau)``, ``g = clip(a + (b - a) s, 0, 1)``; noise is that of a logistic variable.
    """
    return (LOW + (HIGH - LOW) * ((logits + noise) / temperature).sigmoid()).clamp(0, 1)


def activation_probability(logits, temperature):
    """``P(g > 0) = sigmoid(beta - tau ln(-a / b))`` (Zhou et al., 2020, Eq. 5)."""
    return (logits - temperature * math.log(-LOW / HIGH)).sigmoid()


def path_depth_regularization(probabilities, weights, threshold):
    """What PR-DARTS adds to A's loss (Zhou et al., 2020, Eq. 9-11).

    ``l1 [P_skip - thr]+ + l2 ([P_conv - thr]+ + [P_pool - thr]+) - l3 / 2 sum_cells prod_path mean P``. A group's P is
    its mean activation probability over both cells; ``none`` counts with the convolutions, as in the authors' code. The
    path runs over the edges between neighbouring states, and on each takes the mean over the convolutions.

    Args:
        probabilities (dict[str, Tensor]): [14, 8] a kind of cell.
        weights (tuple[float]): l1, l2, l3.
        threshold (float): thr.

    Returns:
        Tensor: a scalar.
    """
    both = torch.cat([probabilities[kind] for kind in CELLS])
    excess = {name: (both[:, columns].mean() - threshold).relu() for name, columns in COLUMNS.items()}
    paths = [probabilities[kind][PATH][:, CONVOLUTION_COLUMNS].mean(1).prod() for kind in CELLS]
    skip, others, path = weights
    return skip * excess['skip'] + others * (excess['conv'] + excess['pool']) - path * sum(paths) / len(paths)


@MODELS.register_module()
class PRDARTSSupernet(CellSupernet):
    """Hard-concrete gates, two operations computed an edge, path-depth regularisation (Zhou et al., 2020).

    As in the authors' code, norm and ReLU follow the last cell.

    Args:
        temperature (tuple[float]): tau at the start and end of the search,
            linear between. The paper has 10 and .1; at 10 every activation
            probability is 1 and the regularisation has no gradient, so the
            default is that of the authors' code.
        regularization (tuple[float]): l1, l2, l3; zeros switch it off.
        threshold (float): of the regularisation; the paper doesn't give it.
        num_sampled (int): operations computed an edge and iteration.
        others: of :class:`CellSupernet`.
    """
    name = 'prdarts'

    def __init__(self, temperature=(1., .1), regularization=(.01, .005, .005), threshold=.2, num_sampled=2, **options):
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
    def samples(self):
        return True

    def set_progress(self, progress):
        start, end = self.temperatures
        done = 1. if progress is None else progress.fraction
        self.temperature = start * (1 - done) + end * done

    def importance(self, alphas):
        """Activation probabilities; their rows don't sum to 1."""
        return {kind: activation_probability(alpha, self.temperature) for kind, alpha in alphas.items()}

    def entropy(self, alphas):
        probabilities = torch.cat(list(self.importance(alphas).values()))
        return (entr(probabilities) + entr(1 - probabilities)).mean()

    def draw(self, alphas, generator):
        """Logistic noise for each gate."""
        return {kind: logistic(alpha, generator) for kind, alpha in alphas.items()}

    def gate_tensors(self, alphas, draw):
        """1 for an edge's largest gates, with the gradient of the gate; 0 for the others, which are not computed."""
        return {f'gates.{kind}': self._straight_through(alpha, draw[kind]) for kind, alpha in alphas.items()}

    def _straight_through(self, logits, noise):
        gates = hard_concrete(logits, noise, self.temperature)
        chosen = torch.zeros_like(gates, dtype=torch.bool)
        # the order of the gates, without the ties of those that are clipped or whose sigmoid is 0 or 1 in float32
        chosen.scatter_(1, (logits + noise).detach().topk(self.num_sampled).indices, True)
        return torch.where(chosen, 1 + (gates - gates.detach()), gates * 0)

    def evaluation_gates(self, alphas):
        """Without noise."""
        return self.gate_tensors(alphas, {kind: torch.zeros_like(alpha) for kind, alpha in alphas.items()})

    def architecture_loss(self, alphas):
        if not any(self.regularization):
            return None
        return path_depth_regularization(self.importance(alphas), self.regularization, self.threshold)

    def blocks(self):
        """The last norm belongs to the last cell."""
        blocks = super().blocks()
        last = f'cell{self.layers}'
        return {**blocks, last: (*blocks[last], 'last_norm')}

    def finish(self, x):
        return self.last_norm(x.contiguous()).relu()  # an affine norm, as that of the stem

    def mixtures(self):
        return {kind: Mixture(self.plan(kind, self.gates.chosen(kind)), self.gates[kind]) for kind in CELLS}

    def derive_cell(self, kind, importance):
        return strongest_pairs(importance[kind])


PUBLISHED = dict(  # Zhou et al., 2020 (PR-DARTS)
    pr_darts=read_cells(
        'skip-0 sep3-1 | dil3-2 sep3-0 | dil3-3 sep3-1 | dil3-4 dil3-1',
        'avg-0 dil5-1 | sep3-0 dil5-2 | sep5-1 dil3-3 | dil5-4 dil5-1'))

TRAITS = CellTraits(has_activation_probabilities=True, joins_operations=True)
register_space(cell_format(PRDARTSSupernet.name, 'PR-DARTS', TRAITS, published=PUBLISHED))
