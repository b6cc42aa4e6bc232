"""Minibatch interleaving, MI: the tasks step in turns (paper 4.2, baseline 6; Doire & Okubadejo, 2019)."""
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from mmengine.optim import OptimWrapperDict
from torch import Tensor

from ..chain import Record, Variable, WeightedSum
from ..registry import MODELS
from .soft_sharing import SoftSharing
from .stages.record import StageRecord
from .stages.sharing_step import SharingStep, check_sgd, factors_in_turn, weighted_sum
from .stages.stage import Stage
from .weight_stages import step


@MODELS.register_module()
class MinibatchInterleaving(SoftSharing):
    """The model of MTL-SWS, whose tasks step in turns, each on a minibatch.

    ``W~_k = W_k - eta (beta_k grad L_k + 2 gamma (sum_{j<k} (W - W~_j) + sum_{j>k} (W - W_j)))`` with W = W~_k
    (``sharing_step='implicit'``) or W = W_k (``'explicit'``). A task reads the encoders of earlier tasks after their
    steps, and those of later tasks before their steps.

    The other tasks' weights hold back a task that steps alone: where all weights are equal, the implicit step is the
    task's step divided by ``1 + 2 gamma eta (K - 1)``, 6 for two tasks at gamma = 100 and eta = .025.

    Args:
        args, options: of :class:`SoftSharing`.

    Raises:
        ValueError: for ``virtual_step.momentum``.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.virtual['momentum']:
            raise ValueError('model.virtual_step.momentum: the momentum of a task is gone once its optimiser has '
                             'stepped, which minibatch interleaving does within an iteration')
        self.before: list[Tensor] = []  # W_k at the start of the iteration

    @property
    def curvature(self) -> float:
        """``2 gamma (K - 1)``: a task steps while the others stay."""
        return 2 * self.sharing_weight * (len(self.order) - 1)

    def start_iteration(self, iteration: int) -> None:
        super().start_iteration(iteration)
        self.before = [self.encoder_weights.generate(k, 0, self.importance).detach().clone()
                       for k in range(len(self.order))]

    def others(self, stage: Stage) -> list[Tensor]:
        """The encoders of the other tasks, [D] each: one-step updates of earlier tasks, W of later tasks."""
        k = stage.task_index
        return [*(record.virtual_encoder for record in self.records[:k]), *self.before[k + 1:]]

    def sharing_gradient(self, stage: Stage, encoder: Tensor) -> Tensor:
        return self.pull(encoder, self.others(stage))

    def stage_steps(self, record: StageRecord, encoder: Tensor, parameters: Mapping[str, Tensor],
                    constants: Mapping[str, Tensor],
                    optim_wrapper: OptimWrapperDict) -> tuple[Tensor, Sequence[Tensor], dict[str, Tensor]]:
        gradients = super().stage_steps(record, encoder, parameters, constants, optim_wrapper)
        strength = self.virtual_strength(record)
        factors = 1., strength  # the step alone has the explicit term in it
        if self.implicit:
            others = self.others(record.stage)
            factors = factors_in_turn(strength, len(others))
            record.encoder = Variable(weighted_sum(
                [factors[0], *[factors[1]] * len(others)], [record.virtual_encoder, *others]))
        record.parts = partial(self.interleaved_parts, factors)
        return gradients

    def interleaved_parts(self, factors: tuple[float, float], record: StageRecord) -> list[Record]:
        """The step by the task's loss, then ``W~_k = c_0 step_k + c_1 sum_{j<k} W~_j`` and a constant, as records.

        Args:
            factors (tuple[float]): c_0, c_1.
            record (StageRecord): the record of the stage.
        """
        alone, earlier = Variable(), self.records[:record.stage.task_index]
        terms = [(alone, factors[0]), *((other.stepped_encoder, factors[1]) for other in earlier)]
        return [*self.task_parts(record, alone), WeightedSum(record.stepped_encoder, terms)]

    def train_stage(self, stage: Stage, batch: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        figures = super().train_stage(stage, batch, optim_wrapper)
        self.records[-1].head_source = {
            name: p.detach().clone().requires_grad_() for name, p in self.head(stage).trained().items()
        }
        self.step_encoder(stage, optim_wrapper)
        step(optim_wrapper['head'])
        return figures

    def step_encoder(self, stage: Stage, optim_wrapper: OptimWrapperDict) -> None:
        """Steps the optimiser of the encoder weights on a task's gradient; an implicit step reads the other tasks'
        weights as they are now."""
        if not self.implicit:
            step(optim_wrapper['encoder'])
            return
        weights = [self.encoder_weights.generate(k, 0, self.importance) for k in range(len(self.order))]
        weight = weights.pop(stage.task_index)
        sharing = SharingStep(check_sgd(optim_wrapper['encoder'].optimizer), weight)
        step(optim_wrapper['encoder'])
        others = [other.detach() for other in weights]
        of_step, of_other = factors_in_turn(2 * self.sharing_weight * sharing.rate, len(others))
        value = weighted_sum([of_step, *[of_other] * len(others)], [weight.detach(), *others])
        sharing.finish(value, self.pull(value, others))

    def step_optimisers(self, optim_wrapper: OptimWrapperDict) -> None:
        """Does nothing: each stage has stepped its optimisers."""

    def encoder_before(self, record: StageRecord) -> Tensor:
        return self.before[record.stage.task_index]
