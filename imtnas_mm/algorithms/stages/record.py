"""The record of a stage of a search, through which the sweep pulls A's gradient back."""
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Optional, Self, TypeVar

from torch import Tensor

from ...chain import Adjoints, KeptGradient, Pullback, Record, StepRule, Variable, sweep
from .hypernetwork_step import HypernetworkStep
from .stage import Stage

T = TypeVar('T')


@dataclass
class StageRecord(Record):
    """The record of stage (m, k): its results, and the records of its equations.

    ``parts`` makes these records when the sweep reaches the stage. The record
    doesn't hold W: V (or the stored weights) and the heads don't change within
    an iteration, so the sweep makes W again. If they do change, ``source`` and
    ``head_source`` hold them as they were before.
    """
    stage: Stage
    data: dict  # the preprocessed batch of D_k^tr
    encoder_rule: StepRule | None  # of W's step, if the stage steps W
    head_rules: dict[str, StepRule]  # of H's step, by name
    step: HypernetworkStep | None = None  # the step in V, if the stage steps V
    examples: Tensor | None = None  # the images of a transfer, [S, 3, h, w], before their augmentation
    parts: Callable[['StageRecord'], list[Record]] | None = None  # the stage as records of the chain, in order
    previous: Optional['StageRecord'] = None  # the stage whose encoder trains the encoder of this stage
    encoder: Variable | None = None  # W~, [D]
    head: dict[str, Variable] | None = None  # H~ by name, only in the last round
    head_constants: dict[str, Tensor] | None = None  # the head's buffers, only in the last round
    needed: Tensor | None = None  # the images that the transfer's derivatives depend on; None for all
    # whether the encoder's inner gradient isn't zero on any rank; on a GPU a flag until the host reads it
    active: bool | Tensor = True
    # the inner gradients with their graphs, where they are kept: of the encoder (and the head), and of the head alone
    kept: KeptGradient | None = None
    kept_head: KeptGradient | None = None
    source: dict[str, Tensor] | None = None  # the encoder weights' parameters before their step
    head_source: dict[str, Tensor] | None = None  # the head's parameters before their step
    figures: dict[str, Tensor] = field(default_factory=dict)

    def before_it_runs(self) -> Self:
        """The same stage on the same data, to be run again."""
        return replace(self, previous=None, encoder=None, head=None, head_constants=None, needed=None, active=True,
                       kept=None, kept_head=None, figures={})

    @property
    def weights_rule(self) -> StepRule:
        """The rule of a step in W."""
        return _known(self.encoder_rule, 'rule of a step in W', self.stage)

    @property
    def encoder_rate(self) -> float:
        """eta_w of a step in W."""
        return self.weights_rule.rate

    @property
    def encoder_gradient_step(self) -> tuple[Variable, float, float]:
        """(result, rate, share) of W in the :class:`GradientStep` of the stage: W~, or grad_W for a step in V."""
        if self.step is not None:
            return self.step.gradient, -1., 0.
        return self.stepped_encoder, self.weights_rule.gradient_rate, 1.

    @property
    def stepped_encoder(self) -> Variable:
        """W~, [D], of a stage that has run."""
        return _known(self.encoder, 'W~', self.stage)

    @property
    def stepped_head(self) -> dict[str, Variable]:
        """H~ by name, of a stage of the last round that has run."""
        return _known(self.head, 'H~', self.stage)

    @property
    def virtual_encoder(self) -> Tensor:
        """The value of W~, [D]."""
        return self.stepped_encoder.value

    def take_kept(self) -> tuple[KeptGradient | None, KeptGradient | None]:
        """``kept`` and ``kept_head``, which then are gone: their graphs serve once."""
        kept, self.kept, self.kept_head = (self.kept, self.kept_head), None, None
        return kept

    def pull_back(self, adjoints: Adjoints, pullback: Pullback | None) -> None:
        sweep(_known(self.parts, 'its equations', self.stage)(self), adjoints, pullback)


def _known(value: T | None, what: str, stage: Stage) -> T:
    if value is None:
        raise ValueError(f'stage {stage.name} has no {what}, which a stage has once it has run')
    return value
