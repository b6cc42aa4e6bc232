"""MTL-HWS, multi-task search with hard weight sharing: one encoder for all tasks (paper 4.2)."""
from functools import partial

from mmengine.optim import OptimWrapperDict
from torch import Tensor

from ..chain import Record, Variable, WeightedSum
from ..registry import MODELS
from .one_round import CombinedSteps
from .stages.record import StageRecord
from .stages.stage import Stage


@MODELS.register_module()
class MTLHWS(CombinedSteps):
    """All tasks share the same encoder weights, ``W~ = W - eta sum_k beta_k grad_W L_k`` (Eq. 8)."""

    def encoder_index(self, stage: Stage) -> tuple[int, int]:
        return 0, stage.round

    def start_iteration(self, iteration: int) -> None:
        super().start_iteration(iteration)
        self.encoder_gradients: list[Tensor] = []

    def run_stage(self, record: StageRecord, encoder: Tensor, optim_wrapper: OptimWrapperDict,
                  train: bool) -> tuple[Tensor, dict[str, Tensor]]:
        encoder_gradient, head_gradient = super().run_stage(record, encoder, optim_wrapper, train)
        self.encoder_gradients.append(encoder_gradient)
        return encoder_gradient, head_gradient

    def combine(self, optim_wrapper: OptimWrapperDict) -> None:
        """W~ is the same for all stages."""
        total, *others = self.encoder_gradients
        for other in others:
            total = total + other
        self.encoder_gradients = []
        last = self.records[-1]
        combined = Variable(self.virtual_encoder(last, self.encoder_before(last), total, optim_wrapper))
        steps = [Variable() for _ in self.records]
        for record in self.records:
            record.encoder = combined
            record.parts = partial(self.combined_parts, steps)

    def combined_parts(self, steps: list[Variable], record: StageRecord) -> list[Record]:
        """The step of a stage as a record; after the last stage also ``W~ = W + sum_k (step_k - W)``.

        Args:
            steps (list[Variable]): W after the step of each stage alone.
            record (StageRecord): the record of the stage.
        """
        parts = self.task_parts(record, steps[record.stage.index])
        if record is self.records[-1]:
            parts.append(WeightedSum(record.stepped_encoder, [(variable, 1.) for variable in steps]))
        return parts
