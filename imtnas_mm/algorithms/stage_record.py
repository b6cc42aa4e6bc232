"""What a stage of a search leaves: the record that the sweep pulls A's gradient back through."""
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Optional

from torch import Tensor

from ..chain import Adjoints, KeptGradient, Pullback, Record, Variable, sweep
from .stage import Stage


@dataclass
class StageRecord(Record):
    """One stage (m, k): its results, and the records of its equations.

    ``parts`` makes these records when the sweep comes to the stage. W isn't
    here: within an iteration V (or the stored weights) and the heads stand
    still, so the sweep makes it again. ``source`` and ``head_source`` hold what
    was stepped since.
    """
    stage: Stage
    data: dict  # the preprocessed batch of D_k^tr
    encoder_rate: float  # eta_w
    head_rate: float  # eta_h
    examples: Tensor | None = None  # of a transfer, [S, 3, h, w]; its augmented images are made when needed
    parts: Callable[['StageRecord'], list[Record]] | None = None  # the stage as records of the chain, in order
    previous: Optional['StageRecord'] = None  # of the stage whose encoder trains this one's
    encoder: Variable | None = None  # W~, [D]
    head: dict[str, Variable] | None = None  # H~ by name, in the last round alone
    head_constants: dict[str, Tensor] | None = None  # the head's buffers, likewise
    needed: Tensor | None = None  # the views that the transfer's derivatives depend on, None for all
    # whether the encoder's inner gradient is non-zero anywhere, on any rank; on a GPU a flag until the host reads it
    active: bool | Tensor = True
    # the inner gradients with their graphs, where they are kept: of the encoder (and the head), and of the head alone
    kept: KeptGradient | None = None
    kept_head: KeptGradient | None = None
    source: dict[str, Tensor] | None = None  # the encoder weights' parameters as the stage had them
    head_source: dict[str, Tensor] | None = None  # likewise of the head
    figures: dict[str, Tensor] = field(default_factory=dict)

    @property
    def virtual_encoder(self) -> Tensor:
        """W~, [D]."""
        return self.encoder.value

    @property
    def virtual_head(self) -> dict[str, Tensor] | None:
        """H~ and the head's buffers by name, in the last round alone."""
        if self.head is None:
            return None
        return {**{name: variable.value for name, variable in self.head.items()}, **self.head_constants}

    def take_kept(self) -> tuple[KeptGradient | None, KeptGradient | None]:
        """``kept`` and ``kept_head``, which then are gone: their graphs serve once."""
        kept, self.kept, self.kept_head = (self.kept, self.kept_head), None, None
        return kept

    def pull_back(self, adjoints: Adjoints, pullback: Pullback | None) -> None:
        sweep(self.parts(self), adjoints, pullback)
