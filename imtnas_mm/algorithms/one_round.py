"""Searches whose iteration is one round on stored weights, and the plainest of them, MTL-SAO (paper 4.2)."""
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.optim import OptimWrapperDict
from torch import Tensor

from ..registry import MODELS
from ..tasks.loss_weights import check_weights
from .stages.record import StageRecord
from .stages.stage import Stage
from .unrolled import UnrolledSearch
from .unused import tell_unused


class OneRoundSearch(UnrolledSearch):
    """A stage per task, then A (Eq. 8, 9 and that of MTL-SWS).

    All stages start from the weights at the start of the iteration, unless a
    method steps weights between them.

    Encoder weights are stored, per task or for all tasks together. A config of
    IMTNAS becomes a config of these methods by ``model.type`` alone. They
    ignore the settings that only IMTNAS uses, and the log lists these.

    Args:
        search_space, tasks, order: of :class:`UnrolledSearch`.
        train_weights (dict[str, float], optional): beta_k of L_k^tr; 1 by default.
        val_weights (dict[str, float], optional): alpha_k of L_k^val; 1 by default.
        encoder_weights, rounds, transfer: settings of IMTNAS, not used.
        encoder_task_weight, hypernetwork_step, step_space: settings of IMTNAS, not used.
        options: options of :class:`UnrolledSearch`.
    """

    def __init__(self, search_space: dict[str, Any], tasks: Mapping[str, dict[str, Any]], rounds: int = 1,
                 order: Sequence[str] = (), train_weights: Mapping[str, float] | None = None,
                 val_weights: Mapping[str, float] | None = None, encoder_weights: dict[str, Any] | None = None,
                 transfer: dict[str, Any] | None = None, encoder_task_weight: float = 0.,
                 hypernetwork_step: str = 'iteration', step_space: str = 'weights', **options: Any) -> None:
        virtual_step = dict(options.pop('virtual_step', None) or {})
        clips = virtual_step.pop('clip_grad', False)  # for steps in a hypernetwork
        super().__init__(search_space, tasks, dict(type='StoredWeights'), 1, order, virtual_step=virtual_step,
                         **options)
        unused = [f'train_cfg.rounds={rounds}'] if rounds != 1 else []
        if encoder_weights is not None and encoder_weights['type'].rpartition('.')[2] != 'StoredWeights':
            unused.append(f'model.encoder_weights.type={encoder_weights["type"]!r}')
        if transfer is not None:
            unused.append(f'model.transfer.type={transfer["type"]!r}')
        if encoder_task_weight:
            unused.append(f'model.encoder_task_weight={encoder_task_weight}')
        if hypernetwork_step != 'iteration':
            unused.append(f'model.hypernetwork_step={hypernetwork_step!r}')
        if step_space != 'weights':
            unused.append(f'model.step_space={step_space!r}')
        if clips:
            unused.append('model.virtual_step.clip_grad=True')
        tell_unused(type(self).__name__, unused, 'its encoder weights are stored, and every task has one stage')
        self.train_weights = check_weights(train_weights, 'train_weights', self.order)
        self.val_weights = check_weights(val_weights, 'val_weights', self.order)

    def stage_loss(self, stage: Stage, gates: Mapping[str, Tensor], encoder: Tensor, head: Mapping[str, Tensor],
                   data: dict[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """beta_k L_k(A, W, H, D^tr)."""
        loss, figures = super().stage_loss(stage, gates, encoder, head, data)
        return self.train_weights[stage.task] * loss, figures

    def validation_factor(self, record: StageRecord, loss: Tensor) -> Tensor:
        """alpha_k times the factor of Lbar_k^val."""
        return self.val_weights[record.stage.task] * super().validation_factor(record, loss)


class CombinedSteps(OneRoundSearch):
    """A search whose W~ combine the steps of all tasks: they are computed after the last stage."""

    def train_stage(self, stage: Stage, batch: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        figures = super().train_stage(stage, batch, optim_wrapper)
        if len(self.records) == len(self.stages):
            self.combine(optim_wrapper)
        return figures

    def run_chain_again(self, optim_wrapper: OptimWrapperDict) -> None:
        super().run_chain_again(optim_wrapper)
        if len(self.records) == len(self.stages):
            self.combine(optim_wrapper)

    @abstractmethod
    def combine(self, optim_wrapper: OptimWrapperDict) -> None:
        """Sets W~ and ``parts`` of all records, from the steps of each task alone."""


@MODELS.register_module()
class MTLSAO(OneRoundSearch):
    """The tasks share only the architecture (Eq. 9)."""
