"""The branching of BMTAS: which copy of each block a task uses, as a part of A."""
import copy
from contextlib import contextmanager

import torch
from torch.utils.flop_counter import FlopCounterMode

from ..analysis.complexity import COUNTED
from ..architecture import mean_entropy
from ..layers.noise import gumbel
from .shared_choices import SharedChoices

BRANCHING = 'branching'  # the group of A


@torch.no_grad()
def block_macs(space, size):
    """dict[str, int]: multiply-accumulates of each block of a supernet, for one image of ``size`` x ``size``."""
    space = copy.deepcopy(space).eval()
    with space.deterministic(), FlopCounterMode(display=False) as counter:
        space(next(space.parameters()).new_zeros(2, 3, size, size))  # two: a norm needs more than one value
    counts = counter.get_flop_counts()
    root = type(space).__name__

    def macs(path):
        if f'{root}.{path}' in counts:
            return sum(counts[f'{root}.{path}'].get(operation, 0) for operation in COUNTED) // 4
        # a list of modules is never called itself
        return sum(macs(f'{path}.{child}') for child, _ in space.get_submodule(path).named_children())

    return {name: sum(macs(path) for path in paths) for name, paths in space.blocks().items()}


def expected_copies(probabilities):
    """[..., K, C] probabilities of the copy that each of K tasks uses -> [...], the expected number of those in use."""
    return (1 - (1 - probabilities).prod(-2)).sum(-1)


class Branching(SharedChoices):
    """A search space as the branching sees it: the operations' choices, and one of K copies a block and task.

    Args:
        space (SearchSpace): of the operations.
        tasks (tuple[str]): K names.
        temperature (tuple[float]): of the Gumbel softmax, at the first and the
            last iteration; linear between.
        hard (bool): one-hot samples with the straight-through gradient.
        resource_weight (float): of the expected multiply-accumulates of the
            copies in use, over those of one network, in A's loss.
        macs (list[int], optional): multiply-accumulates of each block;
            all alike by default.
    """
    group = BRANCHING

    def __init__(self, space, tasks, temperature=(5., .1), hard=False, resource_weight=.05, macs=None):
        if len(temperature) != 2 or min(temperature) <= 0:
            raise ValueError(f'model.branching.temperature={temperature!r} must be two positive numbers')
        if resource_weight < 0:
            raise ValueError(f'model.branching.resource_weight={resource_weight} must not be negative')
        super().__init__(space, tasks)
        self.temperature, self.hard, self.resource_weight = tuple(temperature), hard, resource_weight
        self.macs = torch.tensor(macs or [1] * len(space.blocks()), dtype=torch.float64)
        self.noise = None
        self.judging = False

    def group_shape(self):
        return len(self.space.blocks()), len(self.tasks), len(self.tasks)

    @contextmanager
    def judged(self):
        """Inside, each task uses its likeliest copies."""
        self.judging = True
        try:
            yield
        finally:
            self.judging = False

    def mixing(self, logits):
        """g [B, K, K], a differentiable function of the logits at the noise of the iteration.

        While A is frozen, task t uses copy t.
        """
        if self.warming_up:
            return torch.eye(len(self.tasks)).to(logits).expand(logits.shape)
        if self.judging or self.noise is None:
            return one_hot(logits.detach())
        if self.noise.device != logits.device:  # drawn on the host
            self.noise = self.noise.to(logits.device)
        start, end = self.temperature
        soft = ((logits + self.noise) / (start + (end - start) * self.fraction)).softmax(-1)
        return one_hot(soft.detach()) + (soft - soft.detach()) if self.hard else soft

    def draw(self, alphas, generator):
        found = super().draw(alphas, generator)
        self.noise = gumbel(alphas[BRANCHING], generator)
        return found

    def group_importance(self, logits):
        """g, in the place of importance weights."""
        return self.mixing(logits)

    @staticmethod
    def branching_entropy(logits):
        return mean_entropy({BRANCHING: logits.softmax(-1)})

    def expected_networks(self, logits):
        """Expected multiply-accumulates of the copies in use over those of one network: from 1 to K."""
        macs = self.macs.to(logits)
        return (macs * expected_copies(logits.softmax(-1))).sum() / macs.sum()

    def group_loss(self, logits):
        return self.resource_weight * self.expected_networks(logits) if self.resource_weight else None

    def sharing(self, logits):
        blocks = dict(zip(self.space.blocks(), logits.argmax(-1).tolist(), strict=True))
        return dict(method='branching', tasks=list(self.tasks), blocks=blocks)


def one_hot(values):
    """[..., n] -> [..., n] with 1 at the first of the largest of the last axis."""
    return torch.zeros_like(values).scatter(-1, values.argmax(-1, keepdim=True), 1)
