"""The branching of BMTAS: a group of A decides which copy of each block a task uses."""
import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ...analysis.complexity import COUNTED
from ...architecture import mean_entropy, one_hot
from ...layers.noise import gumbel
from ...spaces.base import SearchSpace
from ...transport import to_device
from .base import SharedChoices

BRANCHING = 'branching'  # the group of A


@torch.no_grad()
def block_macs(space: SearchSpace, size: int) -> dict[str, int]:
    """The multiply-accumulates of each block of a supernet, for an image of ``size`` x ``size``."""
    space = copy.deepcopy(space).eval()
    with space.deterministic(), FlopCounterMode(display=False) as counter:
        space(next(space.parameters()).new_zeros(2, 3, size, size))  # two images: a norm needs several values
    counts = counter.get_flop_counts()
    root = type(space).__name__

    def macs(path: str) -> int:
        if f'{root}.{path}' in counts:
            return sum(counts[f'{root}.{path}'].get(operation, 0) for operation in COUNTED) // 4
        # a list of modules has no forward pass
        return sum(macs(f'{path}.{child}') for child, _ in space.get_submodule(path).named_children())

    return {name: sum(macs(path) for path in paths) for name, paths in space.blocks().items()}


def expected_copies(probabilities: Tensor) -> Tensor:
    """[..., K, C], the probability that a task uses a copy -> [...], the expected number of copies in use."""
    return (1 - (1 - probabilities).prod(-2)).sum(-1)


class Branching(SharedChoices):
    """The choices of operations, and the choice between K copies for each block and task.

    Args:
        space (SearchSpace): the space of the operations.
        tasks (tuple[str]): the names of the K tasks.
        temperature (tuple[float]): the temperature of the Gumbel softmax in the
            first and in the last iteration, linear in between.
        hard (bool): one-hot samples with the straight-through gradient.
        resource_weight (float): the weight, in A's loss, of the expected
            multiply-accumulates of the copies in use over those of a single
            network.
        macs (list[int], optional): the multiply-accumulates of each block; all
            equal by default.

    Raises:
        ValueError: if an argument is not valid.
    """
    group = BRANCHING

    def __init__(self, space: SearchSpace, tasks: Sequence[str], temperature: Sequence[float] = (5., .1),
                 hard: bool = False, resource_weight: float = .05, macs: Sequence[int] | None = None) -> None:
        if len(temperature) != 2 or min(temperature) <= 0:
            raise ValueError(f'model.branching.temperature={temperature!r} must be two positive numbers')
        if resource_weight < 0:
            raise ValueError(f'model.branching.resource_weight={resource_weight} must not be negative')
        super().__init__(space, tasks)
        self.temperature, self.hard, self.resource_weight = tuple(temperature), hard, resource_weight
        self.macs = torch.tensor(macs or [1] * len(space.blocks()), dtype=torch.float64)
        self.noise: Tensor | None = None
        self.judging = False

    def group_shape(self) -> tuple[int, ...]:
        return len(self.space.blocks()), len(self.tasks), len(self.tasks)

    @contextmanager
    def judged(self) -> Iterator[None]:
        """A context manager: inside it, each task uses its likeliest copies."""
        self.judging = True
        try:
            yield
        finally:
            self.judging = False

    def mixing(self, logits: Tensor) -> Tensor:
        """g [B, K, K], a differentiable function of the logits at the noise of the iteration.

        While A is frozen, task t uses copy t.
        """
        if self.warming_up:
            return torch.eye(len(self.tasks), dtype=logits.dtype, device=logits.device).expand(logits.shape)
        if self.judging or self.noise is None:
            return one_hot(logits.detach())
        if self.noise.device != logits.device:  # it is drawn on the host
            self.noise, = to_device([self.noise], logits.device)
        start, end = self.temperature
        soft = ((logits + self.noise) / (start + (end - start) * self.fraction)).softmax(-1)
        return one_hot(soft.detach()) + (soft - soft.detach()) if self.hard else soft

    def draw(self, alphas: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        draw = super().draw(alphas, generator)
        self.noise = gumbel(alphas[BRANCHING], generator)
        return draw

    def group_importance(self, logits: Tensor) -> Tensor:
        """g instead of importance weights."""
        return self.mixing(logits)

    @staticmethod
    def branching_entropy(logits: Tensor) -> Tensor:
        """The mean entropy of the choices between copies in nats."""
        return mean_entropy({BRANCHING: logits.softmax(-1)})

    def expected_networks(self, logits: Tensor) -> Tensor:
        """The expected multiply-accumulates of the copies in use over those of a single network: from 1 to K."""
        if self.macs.device != logits.device:
            self.macs, = to_device([self.macs], logits.device)
        macs = self.macs.to(logits.dtype)
        return (macs * expected_copies(logits.softmax(-1))).sum() / macs.sum()

    def group_loss(self, logits: Tensor) -> Tensor | None:
        return self.resource_weight * self.expected_networks(logits) if self.resource_weight else None

    def sharing(self, logits: Tensor) -> dict[str, Any]:
        blocks = dict(zip(self.space.blocks(), logits.argmax(-1).tolist(), strict=True))
        return dict(method='branching', tasks=list(self.tasks), blocks=blocks)
