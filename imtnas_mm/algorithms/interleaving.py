"""Minibatch interleaving, MI: the tasks step in turns (paper 4.2, baseline 6; Doire & Okubadejo, 2019)."""
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from ..chain import Record, Variable, WeightedSum
from ..registry import MODELS
from .joint_search import MTLSWS
from .stage import Stage
from .stage_record import StageRecord
from .weight_stages import step


@MODELS.register_module()
class MinibatchInterleaving(MTLSWS):
    """The model of MTL-SWS, whose tasks step in turns, each on a minibatch.

    ``W~_k = W_k - eta (beta_k grad L_k + 2 gamma (sum_{j<k} (W_k - W~_j) + sum_{j>k} (W_k - W_j)))``. A task
    reads the encoders of earlier tasks after their steps, and those of later
    tasks before their steps.

    Args:
        args, options: of :class:`MTLSWS`.

    Raises:
        ValueError: for ``virtual_step.momentum``.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.virtual['momentum']:
            raise ValueError('model.virtual_step.momentum: the momentum of a task is gone once its optimiser has '
                             'stepped, which minibatch interleaving does within an iteration')
        self.before: list[Tensor] = []  # W_k at the start of the iteration

    def start_iteration(self, iteration: int) -> None:
        super().start_iteration(iteration)
        self.before = [self.encoder_weights.generate(k, 0, self.importance).detach().clone()
                       for k in range(len(self.order))]

    def sharing_gradient(self, stage: Stage, encoder: Tensor) -> Tensor:
        k = stage.task_index
        others = [record.virtual_encoder for record in self.records[:k]] + self.before[k + 1:]
        total = torch.zeros_like(encoder)
        for other in others:
            total += encoder.detach() - other
        return 2 * self.sharing_weight * total

    def stage_steps(self, record: StageRecord, encoder: Tensor, parameters: Mapping[str, Tensor],
                    constants: Mapping[str, Tensor],
                    optim_wrapper: OptimWrapperDict) -> tuple[Tensor, Sequence[Tensor], dict[str, Tensor]]:
        gradients = super().stage_steps(record, encoder, parameters, constants, optim_wrapper)
        record.parts = self.interleaved_parts
        return gradients

    def interleaved_parts(self, record: StageRecord) -> list[Record]:
        """The step by the task's loss, then ``W~_k = step_k + 2 eta gamma sum_{j<k} W~_j`` and a constant."""
        alone, factor = Variable(), 2 * record.encoder_rate * self.sharing_weight
        earlier = self.records[:record.stage.task_index]
        terms = [(alone, 1.), *((other.stepped_encoder, factor) for other in earlier)]
        return [*self.task_parts(record, alone), WeightedSum(record.stepped_encoder, terms)]

    def train_stage(self, stage: Stage, batch: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        figures = super().train_stage(stage, batch, optim_wrapper)
        self.records[-1].head_source = {
            name: p.detach().clone().requires_grad_() for name, p in self.head(stage).trained().items()
        }
        step(optim_wrapper['encoder'])
        step(optim_wrapper['head'])
        return figures

    def step_optimisers(self, optim_wrapper: OptimWrapperDict) -> None:
        """Does nothing: each stage has stepped its optimisers."""

    def encoder_before(self, record: StageRecord) -> Tensor:
        return self.before[record.stage.task_index]
