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


def architecture_share(values: torch.Tensor) -> torch.Tensor:
    """The share of A's steps that are done, in [0, 1], a scalar of float64; 0 before the search has begun.

    From the tensor [4] in a checkpoint, without a read by the host.
    """
    _, max_epochs, warmup_epochs, fraction = values.double()
    warmup = warmup_epochs / max_epochs.clamp_min(1)
    return ((fraction - warmup) / (1 - warmup).clamp_min(1e-9)).clamp(0, 1)
