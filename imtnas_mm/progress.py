"""How far a search is: what schedules of gates, weights and candidates depend on."""
from typing import NamedTuple

import torch


class Progress(NamedTuple):
    """Where a search stands: its epoch of how many, those with A frozen, and the share of iterations done in [0, 1]."""
    epoch: int
    max_epochs: int
    warmup_epochs: int
    fraction: float

    @classmethod
    def of(cls, values: torch.Tensor) -> 'Progress | None':
        """From the tensor [4] that a checkpoint keeps; ``None`` where the search hadn't begun."""
        epoch, max_epochs, warmup_epochs, fraction = values.tolist()
        return cls(int(epoch), int(max_epochs), int(warmup_epochs), fraction) if max_epochs else None
