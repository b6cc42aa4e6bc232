"""How far a search is, for schedules of gates, weights and candidates; it prints nothing."""
from typing import NamedTuple

import torch


class Progress(NamedTuple):
    """Epoch, number of epochs, number of first epochs with A frozen, and share of iterations done, in [0, 1]."""
    epoch: int
    max_epochs: int
    warmup_epochs: int
    fraction: float

    @classmethod
    def of(cls, values: torch.Tensor) -> 'Progress | None':
        """From the tensor [4] in a checkpoint; ``None`` if the search had not begun."""
        epoch, max_epochs, warmup_epochs, fraction = values.tolist()
        return cls(int(epoch), int(max_epochs), int(warmup_epochs), fraction) if max_epochs else None
