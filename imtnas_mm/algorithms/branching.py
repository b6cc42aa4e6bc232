"""The branching of BMTAS: which copy of each block a task uses, as a part of A."""
import copy
from contextlib import contextmanager

import torch
from torch.utils.flop_counter import FlopCounterMode

from ..analysis.complexity import COUNTED
from ..architecture import mean_entropy
from ..genotype import Genotype

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


class Branching:
    """A search space as the branching sees it: the operations' choices, and one of K copies a block and task.

    What isn't here is the space's own.

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

    def __init__(self, space, tasks, temperature=(5., .1), hard=False, resource_weight=.05, macs=None):
        if len(temperature) != 2 or min(temperature) <= 0:
            raise ValueError(f'model.branching.temperature={temperature!r} must be two positive numbers')
        if resource_weight < 0:
            raise ValueError(f'model.branching.resource_weight={resource_weight} must not be negative')
        self.space, self.tasks = space, tuple(tasks)
        self.temperature, self.hard, self.resource_weight = tuple(temperature), hard, resource_weight
        self.macs = torch.tensor(macs or [1] * len(space.blocks()), dtype=torch.float64)
        self.noise = None
        self.progress = None
        self.judging = False

    def __getattr__(self, name):
        if name.startswith('__') or name == 'space':
            raise AttributeError(name)
        return getattr(self.space, name)

    @staticmethod
    def operations(alphas):
        """A without the branching."""
        return {name: alpha for name, alpha in alphas.items() if name != BRANCHING}

    def alpha_shapes(self):
        return {**self.space.alpha_shapes(), BRANCHING: (len(self.space.blocks()), len(self.tasks), len(self.tasks))}

    def set_progress(self, progress):
        self.progress = progress

    @contextmanager
    def judged(self):
        """Inside, each task uses its likeliest copies."""
        self.judging = True
        try:
            yield
        finally:
            self.judging = False

    @property
    def warming_up(self):
        return self.progress is not None and self.progress.epoch < self.progress.warmup_epochs

    def mixing(self, logits):
        """g [B, K, K], a differentiable function of the logits at the noise of the iteration.

        While A is frozen, task t uses copy t.
        """
        if self.warming_up:
            return torch.eye(len(self.tasks)).to(logits).expand(logits.shape)
        if self.judging or self.noise is None:
            return one_hot(logits.detach())
        start, end = self.temperature
        fraction = self.progress.fraction if self.progress else 0.
        soft = ((logits + self.noise.to(logits)) / (start + (end - start) * fraction)).softmax(-1)
        return one_hot(soft.detach()) + (soft - soft.detach()) if self.hard else soft

    def draw(self, alphas, generator):
        found = self.space.draw(self.operations(alphas), generator)
        # -log of a standard exponential variable is a standard Gumbel one
        self.noise = -torch.empty(alphas[BRANCHING].shape).exponential_(generator=generator).log()
        return found

    def importance(self, alphas):
        """The operations' importance weights, and g in their place for the branching."""
        return {**self.space.importance(self.operations(alphas)), BRANCHING: self.mixing(alphas[BRANCHING])}

    def gate_tensors(self, alphas, draw):
        return self.space.gate_tensors(self.operations(alphas), draw)

    def evaluation_gates(self, alphas):
        return self.space.evaluation_gates(self.operations(alphas))

    def entropy(self, alphas):
        return self.space.entropy(self.operations(alphas))

    def branching_entropy(self, alphas):
        return mean_entropy({BRANCHING: alphas[BRANCHING].softmax(-1)})

    def expected_networks(self, alphas):
        """Expected multiply-accumulates of the copies in use over those of one network: from 1 to K."""
        macs = self.macs.to(alphas[BRANCHING])
        return (macs * expected_copies(alphas[BRANCHING].softmax(-1))).sum() / macs.sum()

    def architecture_loss(self, alphas):
        own = self.space.architecture_loss(self.operations(alphas))
        resource = self.resource_weight * self.expected_networks(alphas) if self.resource_weight else None
        if own is None or resource is None:
            return resource if own is None else own
        return own + resource

    def after_architecture_step(self, before, alphas, draw):
        self.space.after_architecture_step(self.operations(before), self.operations(alphas), draw)

    def derive(self, alphas):
        genotype = self.space.derive(self.operations(alphas))
        copies = alphas[BRANCHING].argmax(-1).tolist()
        sharing = dict(method='branching', tasks=list(self.tasks),
                       blocks=dict(zip(self.space.blocks(), copies, strict=True)))
        return Genotype(genotype.space, genotype.architecture, genotype.importance, genotype.source, sharing)


def one_hot(values):
    """[..., n] -> [..., n] with 1 at the first of the largest of the last axis."""
    return torch.zeros_like(values).scatter(-1, values.argmax(-1, keepdim=True), 1)
