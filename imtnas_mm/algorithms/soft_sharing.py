"""MTL-SWS, multi-task search with soft weight sharing (paper 4.2, baseline 1; Maninis et al., 2019)."""
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from mmengine.logging import print_log
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from ..chain import Record, Variable, WeightedSum
from ..registry import MODELS
from .one_round import CombinedSteps, OneRoundSearch
from .stages.record import StageRecord
from .stages.sharing_step import SharingStep, check_sgd, factors_together, weighted_sum
from .stages.stage import Stage
from .unused import set_apart, tell_unused
from .weight_stages import check_choice

SHARING_STEPS = ('implicit', 'explicit')


class SoftSharing(OneRoundSearch):
    """Each task has encoder weights; ``gamma sum_{k<j} ||W_k - W_j||^2`` draws them together.

    Encoder weights are stored, even if a config names a hypernetwork. All tasks
    share a hypernetwork's parameters, so no step of W_k exists that this term
    could act on. The log says that the hypernetwork isn't used.

    Args:
        args, options: of :class:`OneRoundSearch`.
        sharing_weight (float): gamma; 10 by default (paper 4.3.1).
        sharing_step (str): ``implicit`` takes the term's gradient at the
            stepped weights (:mod:`.stages.sharing_step`), in the optimiser's step, whose
            clipping sees the tasks' gradients alone, and in the one-step update.
            It is stable at any rate, and needs SGD. ``explicit`` takes it at the
            weights before the step, as a part of the gradient that is clipped.
            The log warns where this can't be stable.

    Raises:
        ValueError: if an argument is not valid; with ``implicit``, in the first
            stage, if the optimiser of the encoder weights isn't SGD.
    """

    def __init__(self, *args: Any, sharing_weight: float = 10., sharing_step: str = 'implicit',
                 **options: Any) -> None:
        super().__init__(*args, **options)
        if sharing_weight < 0:
            raise ValueError(f'model.sharing_weight={sharing_weight} must not be negative')
        check_choice('sharing_step', sharing_step, SHARING_STEPS)
        self.sharing_weight = sharing_weight
        self.sharing_step = sharing_step
        self.told_of_rate = False
        if len(self.order) == 1:
            tell_unused(type(self).__name__, set_apart(
                dict(sharing_weight=sharing_weight, sharing_step=sharing_step),
                dict(sharing_weight=10., sharing_step='implicit')), 'a single task shares with no other')

    @property
    def implicit(self) -> bool:
        """Whether the term is there and steps implicitly."""
        return self.sharing_step == 'implicit' and self.sharing_weight > 0 and len(self.order) > 1

    @property
    def curvature(self) -> float:
        """The largest second derivative of the term along a step: ``2 gamma K``, if all tasks step together."""
        return 2 * self.sharing_weight * len(self.order)

    def new_record(self, stage: Stage, batch: dict, optim_wrapper: OptimWrapperDict) -> StageRecord:
        if self.implicit:
            check_sgd(optim_wrapper['encoder'].optimizer)
        record = super().new_record(stage, batch, optim_wrapper)
        rate = max(record.encoder_rate, *(group['lr'] for group in optim_wrapper['encoder'].param_groups))
        self.check_rate(rate)
        return record

    def check_rate(self, rate: float) -> None:
        """Warns once where an explicit step can't be stable: at ``rate * curvature >= 2``."""
        factor = 1 - rate * self.curvature
        if self.told_of_rate or self.sharing_step == 'implicit' or len(self.order) == 1 or factor > -1:
            return
        self.told_of_rate = True
        print_log(f"model.sharing_step='explicit': at the learning rate {rate:g} and model.sharing_weight="
                  f'{self.sharing_weight:g}, a step multiplies the difference of the encoder weights of '
                  f'{len(self.order)} tasks by {factor:g}, so it grows until clip_grad limits it, with the gradients '
                  f"of the tasks. It is stable for rates below {2 / self.curvature:g}; sharing_step='implicit' is for "
                  'all', 'current', logging.WARNING)

    # --- the explicit step ---

    def sharing_gradient(self, stage: Stage, encoder: Tensor) -> Tensor:
        """``2 gamma sum_{j != k} (W_k - W_j)``, [D]."""
        others = [j for j in range(len(self.order)) if j != stage.task_index]
        return self.pull(encoder, [self.encoder_weights.generate(j, 0, self.importance) for j in others])

    def pull(self, encoder: Tensor, others: Sequence[Tensor]) -> Tensor:
        """``2 gamma sum_j (W - W_j)``, [D], without a graph."""
        total = encoder.new_zeros(encoder.shape)
        for other in others:
            total += encoder.detach() - other.detach()
        return 2 * self.sharing_weight * total

    def stage_steps(self, record: StageRecord, encoder: Tensor, parameters: Mapping[str, Tensor],
                    constants: Mapping[str, Tensor],
                    optim_wrapper: OptimWrapperDict) -> tuple[Tensor, Sequence[Tensor], dict[str, Tensor]]:
        """Adds the explicit term to W's step. Neither the term nor W depends on A, so it adds nothing to A's chain."""
        added = None if self.implicit else self.sharing_gradient(record.stage, encoder)
        return self.task_steps(record, encoder, parameters, constants, optim_wrapper, added)

    # --- the implicit step ---

    def virtual_strength(self, record: StageRecord) -> float:
        """``2 gamma eta`` of the one-step update of a stage's W; eta is its rate on a gradient."""
        return 2 * self.sharing_weight * record.weights_rule.gradient_rate


@MODELS.register_module()
class MTLSWS(SoftSharing, CombinedSteps):
    """Soft weight sharing whose tasks step together, from the weights at the start of the iteration.

    Args:
        args, options: of :class:`SoftSharing`.
    """

    def combine(self, optim_wrapper: OptimWrapperDict) -> None:
        """``W~ = C U``, where the rows of U are the steps of the tasks alone (:func:`.factors_together`).

        The explicit term is a part of the steps: W~ is that of each task alone.
        """
        if not self.implicit:
            return
        factors = factors_together([self.virtual_strength(record) for record in self.records])
        steps, alone = [record.virtual_encoder for record in self.records], [Variable() for _ in self.records]
        for record, row in zip(self.records, factors, strict=True):
            record.encoder = Variable(weighted_sum(row, steps))
            record.parts = partial(self.shared_parts, alone, factors)

    def shared_parts(self, alone: list[Variable], factors: list[list[float]], record: StageRecord) -> list[Record]:
        """The step of a stage alone as a record; after the last stage also ``W~_k = sum_j c_kj U_j`` for all k.

        Args:
            alone (list[Variable]): U.
            factors (list[list[float]]): C.
            record (StageRecord): the record of the stage.
        """
        parts = self.task_parts(record, alone[record.stage.task_index])
        if record is self.records[-1]:
            parts += [WeightedSum(other.stepped_encoder, list(zip(alone, row, strict=True)))
                      for other, row in zip(self.records, factors, strict=True)]
        return parts

    def step_optimisers(self, optim_wrapper: OptimWrapperDict) -> None:
        if not self.implicit:
            super().step_optimisers(optim_wrapper)
            return
        optimizer = check_sgd(optim_wrapper['encoder'].optimizer)
        weights = [self.encoder(stage, self.importance) for stage in self.stages]
        sharing = [SharingStep(optimizer, weight) for weight in weights]
        super().step_optimisers(optim_wrapper)
        alone = [weight.detach().clone() for weight in weights]
        stepped = [weighted_sum(row, alone)
                   for row in factors_together([2 * self.sharing_weight * part.rate for part in sharing])]
        for k, (part, value) in enumerate(zip(sharing, stepped, strict=True)):
            part.finish(value, self.pull(value, [*stepped[:k], *stepped[k + 1:]]))
