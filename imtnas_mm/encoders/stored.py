"""Encoder weights stored as one parameter vector per stage (the paper's "NHN", Table 5)."""
import torch
from torch import Tensor, nn

from ..registry import MODELS
from .base import EncoderWeights
from .parameter_layout import ParameterLayout


@MODELS.register_module()
class StoredWeights(EncoderWeights):
    """Every W_k^(m) is a separate parameter: M K vectors [D].

    All start from the same values, so stages differ only by training.
    """

    def __init__(self, layout: ParameterLayout, num_tasks: int, num_rounds: int, num_importance: int,
                 seed: int = 0) -> None:
        super().__init__(layout, num_tasks, num_rounds, num_importance, seed)
        generator = torch.Generator().manual_seed(seed)
        start = layout.offset + layout.scale * torch.randn(layout.size, generator=generator)
        self.weights = nn.ParameterList(
            nn.Parameter(start.clone()) for _ in range(num_rounds) for _ in range(num_tasks))

    def generate(self, task: int, round: int, importance: Tensor) -> Tensor:
        self.check_stage(task, round)
        return self.weights[round * self.num_tasks + task]
