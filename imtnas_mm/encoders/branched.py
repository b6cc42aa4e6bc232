"""Encoder weights that are mixed, block by block, from copies shared by all tasks (BMTAS)."""
import functools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ..registry import MODELS
from .base import EncoderWeights
from .parameter_layout import ParameterLayout


@MODELS.register_module()
class BranchedWeights(EncoderWeights):
    """K copies of every block; ``W_k = sum_c g[l, k, c] W_l^c`` in each block l.

    The mixing weights g [B, K, K] are the last entries of the importance
    vector, so W_k depends on A through them. A convolution with mixed weights
    gives the mixed outputs of the copies' convolutions. Where g is one-hot, W_k
    takes one copy of each block.

    All copies start from the same values, so they differ only by training.
    """
    mixed_by_architecture = True

    def __init__(self, layout: ParameterLayout, num_tasks: int, num_rounds: int, num_importance: int,
                 seed: int = 0) -> None:
        super().__init__(layout, num_tasks, num_rounds, num_importance, seed)
        if num_rounds != 1:
            raise ValueError(f'train_cfg.rounds={num_rounds}: BranchedWeights has one set of copies, so 1 round')
        generator = torch.Generator().manual_seed(seed)
        start = layout.offset + layout.scale * torch.randn(layout.size, generator=generator)
        self.weights = nn.ParameterList(nn.Parameter(start.clone()) for _ in range(num_tasks))
        self.pieces: list[tuple[int, int]] = []  # (block, number of weights) in the order of the layout

    def set_blocks(self, blocks: Mapping[str, Sequence[str]]) -> None:
        """Assigns every parameter to its block.

        Args:
            blocks (dict[str, tuple[str]]): name -> paths of its modules; as ``SearchSpace.blocks``.
        """
        self.num_blocks = len(blocks)
        self.pieces = []
        for name, shape in zip(self.layout.names, self.layout.shapes, strict=True):
            holders = [i for i, paths in enumerate(blocks.values())
                       if any(name.startswith(f'{path}.') for path in paths)]
            if len(holders) != 1:
                raise ValueError(f'the parameter {name} must be of one block, not of {len(holders)}')
            if self.pieces and self.pieces[-1][0] == holders[0]:
                self.pieces[-1] = holders[0], self.pieces[-1][1] + shape.numel()
            else:
                self.pieces.append((holders[0], shape.numel()))

    def generate(self, task: int, round: int, importance: Tensor) -> Tensor:
        self.check_stage(task, round)
        mixing = importance[-self.num_blocks * self.num_tasks**2:]
        mixing = mixing.view(self.num_blocks, self.num_tasks, self.num_tasks)[:, task]
        sizes = [size for _, size in self.pieces]
        copies = zip(*(weights.split(sizes) for weights in self.weights), strict=True)
        return torch.cat([functools.reduce(torch.add, [mixing[block, c] * part for c, part in enumerate(parts)])
                          for (block, _), parts in zip(self.pieces, copies, strict=True)])
