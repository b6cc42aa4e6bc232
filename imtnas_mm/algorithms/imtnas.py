"""Interleaving multi-task architecture search, the paper's method (Sec. 3, Algorithm 2)."""
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from mmengine.dist import get_rank
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from ..chain import GradientStep, KeptGradient, Record, Variable, gradients, leaves
from ..random_state import Purpose, isolated_random
from ..registry import MODELS
from ..transfer import Encoder, KnowledgeTransfer, TransferLoss
from .stages.hypernetwork_step import HypernetworkStep
from .stages.optimiser_rules import check_same_step
from .stages.record import StageRecord
from .stages.stage import Stage
from .unrolled import UnrolledSearch
from .unused import set_apart, tell_unused
from .weight_stages import ENCODER_GRADIENT, HEAD_GRADIENT, TASK_LOSS, check_choice, step

HYPERNETWORK_STEPS = ('iteration', 'stage')


@MODELS.register_module()
class IMTNAS(UnrolledSearch):
    """K tasks learn in an interleaved loop of M rounds; then all validation losses train A.

    An iteration is Algorithm 2.

    Args:
        search_space, tasks, encoder_weights, rounds, order: of
            :class:`UnrolledSearch`.
        transfer (dict, optional): config of the knowledge transfer; ``None``
            switches it off (the paper's C = 0).
        encoder_task_weight (float): the share of the task loss in the encoder's
            update after the first stage; 0 is Eq. 4 (reading 2).
        hypernetwork_step (str): ``iteration`` steps the encoder weights once,
            on the sum of the stages' gradients; ``stage`` steps them after each
            stage (reading 11). With ``step_space='hypernetwork'`` the chain
            then goes through these steps of V, too.
        options: options of :class:`UnrolledSearch`.

    Raises:
        ValueError: if an argument is not valid.
    """
    transfer: KnowledgeTransfer | None
    may_transfer = True

    def __init__(self,
                 search_space: dict[str, Any],
                 tasks: Mapping[str, dict[str, Any]],
                 encoder_weights: dict[str, Any],
                 rounds: int,
                 order: Sequence[str],
                 transfer: dict[str, Any] | None = None,
                 encoder_task_weight: float = 0.,
                 hypernetwork_step: str = 'iteration',
                 **options: Any) -> None:
        super().__init__(search_space, tasks, encoder_weights, rounds, order, **options)
        check_choice('hypernetwork_step', hypernetwork_step, HYPERNETWORK_STEPS)
        if encoder_task_weight < 0:
            raise ValueError(f'model.encoder_task_weight={encoder_task_weight} must not be negative')
        if hypernetwork_step == 'stage' and self.step_space == 'weights' and self.virtual['momentum']:
            raise ValueError("model.virtual_step.momentum with hypernetwork_step='stage': the momentum of a stage is "
                             "gone once its optimiser has stepped; use hypernetwork_step='iteration'")
        if hypernetwork_step == 'stage' and self.step_space == 'hypernetwork' and 'encoder' in self.virtual_rates:
            raise ValueError(f"model.virtual_rates.encoder={self.virtual_rates['encoder']} with "
                             "model.step_space='hypernetwork' and model.hypernetwork_step='stage', which makes the "
                             "steps of the optimiser at its rates; leave virtual_rates.encoder out")
        if self.encoder_weights.mixed_by_architecture:
            raise ValueError(f'model.encoder_weights.type={encoder_weights["type"]!r} is for BMTAS; IMTNAS takes '
                             'HyperNetwork or StoredWeights')
        self.transfer = MODELS.build(transfer) if transfer is not None else None
        self.encoder_task_weight = encoder_task_weight
        self.hypernetwork_step = hypernetwork_step
        self._check_transfer(options)

    def _check_transfer(self, options: Mapping[str, Any]) -> None:
        """Raises ValueError for tasks whose embeddings the transfer can't compare; tells of settings without effect."""
        if self.transfer is not None and self.transfer.compares_embeddings:
            sizes = {name: task.space.stage_channels[max(task.space.out_indices)] for name, task in self.tasks.items()}
            if len(set(sizes.values())) > 1:
                raise ValueError(
                    f'model.transfer.type={type(self.transfer).__name__!r} compares the embeddings of two tasks, but '
                    f'their last features have {sizes} channels: let model.tasks.<task>.backbone.out_indices of all '
                    'tasks end with the same stage, or choose another transfer')
        if options.get('recompute') == 'views' and not self.num_examples:
            tell_unused('IMTNAS', ["model.recompute='views'"], 'no images go through a transfer')
        if len(self.stages) == 1:
            unused = [] if self.transfer is None else [f'model.transfer.type={type(self.transfer).__name__!r}']
            unused += set_apart(dict(encoder_task_weight=self.encoder_task_weight,
                                     hypernetwork_step=self.hypernetwork_step),
                                dict(encoder_task_weight=0., hypernetwork_step='iteration'))
            tell_unused('IMTNAS', unused, 'one task in one round is one stage, which its task trains')

    @property
    def num_examples(self) -> int:
        return self.transfer.num_examples if self.transfer is not None and len(self.stages) > 1 else 0

    # --- the losses of a stage, as functions of all that they depend on ---

    def encoder_of(self, stage: Stage, gates: Mapping[str, Tensor], weights: Tensor) -> Encoder:
        """The encoder W of a stage's task at A, for a transfer."""
        task = self.tasks[stage.task]
        return Encoder(weights, lambda images: task.embed(weights, gates, images))

    def transfer_examples(self, stage: Stage, previous: Stage, raw: Sequence[Sequence[Tensor]]) -> Tensor:
        """The images of a transfer (paper 3.1.2), half from the previous task, half from this task: [S, 3, h, w]."""
        if self.transfer is None:
            raise ValueError('model.transfer=None: without a transfer there are no examples')
        size = self.transfer.image_size
        images = torch.cat([self.tasks[s.task].examples(inputs, size)
                            for s, inputs in zip((previous, stage), raw, strict=True)])
        return images.to(self.importance.dtype)

    def transfer_views(self, record: StageRecord) -> Tensor | None:
        """The augmented images of a stage, always the same; ``None`` without a transfer, or for one without images."""
        if self.transfer is None:
            return None
        key = Purpose.VIEWS.key(
            seed=self.seed, iteration=self.iteration, stage=record.stage.index, rank=get_rank())
        with isolated_random(*key):
            return self.transfer.views(record.examples)

    def encoder_objective(self, record: StageRecord, previous: StageRecord, gates: Mapping[str, Tensor],
                          teacher: Tensor, encoder: Tensor, head: Mapping[str, Tensor], data: dict[str, Any],
                          views: Tensor | None = None) -> TransferLoss:
        """The objective of the encoder after the first stage: Eq. 4, plus a share of the task loss (reading 2).

        Args:
            record, previous (StageRecord): the stage and the stage before it.
            gates (dict[str, Tensor]): the gates of the space at A.
            teacher (Tensor): W~ of the stage before, [D].
            encoder (Tensor): W of this stage, [D].
            head (dict[str, Tensor]): H of this stage before its step, for a share of the task loss.
            data (dict): the preprocessed batch, for a share of the task loss.
            views (Tensor, optional): some of the augmented images; all by default.
        """
        objective, figures, needed = encoder.new_zeros(()), {}, None
        if self.transfer is not None:
            views = self.transfer_views(record) if views is None else views
            teaching = self.transfer.teacher_side(self.encoder_of(previous.stage, gates, teacher), views)
            learned = self.transfer.student_side(self.encoder_of(record.stage, gates, encoder), views, teaching)
            objective, needed = objective + learned.loss, learned.needed
            figures = {'transfer_loss': learned.loss.detach(),
                       **{f'transfer_{name}': value for name, value in learned.figures.items()}}
        if self.encoder_task_weight:
            values = {**head, **self.head_constants(self.head(record.stage))}
            loss, _ = self.task_loss(record.stage, gates, encoder, values, data)
            objective = objective + self.encoder_task_weight * loss
        return TransferLoss(objective, figures, needed)

    # --- the stages ---

    def new_record(self, stage: Stage, batch: dict, optim_wrapper: OptimWrapperDict) -> StageRecord:
        record = super().new_record(stage, batch, optim_wrapper)
        if stage.index and self.num_examples:
            record.examples = self.transfer_examples(stage, self.records[-1].stage, batch['examples'])
        return record

    def stage_steps(self, record: StageRecord, encoder: Tensor, parameters: Mapping[str, Tensor],
                    constants: Mapping[str, Tensor],
                    optim_wrapper: OptimWrapperDict) -> tuple[Tensor, Sequence[Tensor], dict[str, Tensor]]:
        """The task's loss trains the first stage. Later, the stage before trains W; the task's loss at W~ trains H."""
        if not self.records:
            return super().stage_steps(record, encoder, parameters, constants, optim_wrapper)
        previous = record.previous = self.records[-1]
        loss, record.figures, needed, record.active, encoder_gradient = self.transfer_step(
            record, previous, encoder)
        record.needed = None if self.space.couples_images else needed
        if record.active is not False:
            self.reduce_finite(self.where(record.stage), {
                'the transfer loss': [loss.clone()], ENCODER_GRADIENT: [encoder_gradient]})
        self.set_virtual_encoder(record, encoder, encoder_gradient, optim_wrapper)
        record.parts = self.transfer_parts
        names = list(parameters)

        def compute(tensors: list[Tensor], data: dict[str, Any]) -> tuple[Tensor, dict[str, Tensor], list[Tensor]]:
            gates, (encoder, *values) = self.split_gates(tensors)
            keeps = self.keeps(record.stage) and record.stage.round == self.rounds - 1
            if keeps:  # optimisers may change the weights in place before the sweep
                gates, (encoder, ), values = gates.leaves(), leaves([encoder]), [value.clone() for value in values]
            values = leaves(values)
            loss, figures = self.task_loss(
                record.stage, gates, encoder, {**dict(zip(names, values, strict=True)), **constants}, data)
            if keeps:
                record.kept_head = KeptGradient.of(loss, values, [encoder, *gates.values()])
                return loss.detach(), figures, record.kept_head.values()
            return loss.detach(), figures, list(gradients(loss, values))

        loss, figures, head_gradient = self.compute(
            ("the head's stage", ), record.stage, compute, [record.virtual_encoder, *parameters.values()], record.data)
        self.reduce_finite(self.where(record.stage), {TASK_LOSS: [loss.clone()], HEAD_GRADIENT: head_gradient})
        return encoder_gradient, head_gradient, figures

    def transfer_step(self, record: StageRecord, previous: StageRecord, encoder: Tensor
                      ) -> tuple[Tensor, dict[str, Tensor], Tensor | None, bool | Tensor, Tensor]:
        """:meth:`encoder_objective` and its gradient by W.

        Returns:
            (Tensor, dict, Tensor | None, bool | Tensor, Tensor [D]): T, figures,
            the images that T depends on, whether T isn't zero on any rank, and
            the gradient. The fourth is a bool of the host if that costs nothing,
            and a Tensor on a GPU. There the gradient is always computed, because
            to wait for the flag costs more.
        """
        views = self.transfer_views(record)
        head = self.objective_head(record)
        tensors = [previous.virtual_encoder, encoder, *head.values()] + ([] if views is None else [views])

        def compute(tensors: list[Tensor], data: dict[str, Any]
                    ) -> tuple[Tensor, dict[str, Tensor], Tensor | None, bool | Tensor, Tensor]:
            gates, (teacher, encoder, *others) = self.split_gates(tensors)
            values, views = others[:len(head)], others[len(head):]
            keeps = self.keeps(record.stage)
            if keeps:  # optimisers may change the weights in place before the sweep
                gates, (teacher, ), encoder = gates.leaves(), leaves([teacher]), encoder.clone()
                values = [value.clone() for value in values]
            encoder, = leaves([encoder])
            objective = self.encoder_objective(
                record, previous, gates, teacher, encoder, dict(zip(head, values, strict=True)), data, *views)
            # without anything to learn from there is no graph, which the host knows on a GPU, too
            learns = self.transfer is not None or bool(self.encoder_task_weight)
            flag = learns and self.any_rank(objective.loss.detach() != 0)
            if flag is False:
                gradient = torch.zeros_like(encoder)
            elif keeps:
                record.kept = KeptGradient.of(objective.loss, [encoder], [teacher, *gates.values()])
                gradient, = record.kept.values()
            else:
                gradient, = gradients(objective.loss, [encoder])
            return objective.loss.detach(), objective.figures, objective.needed, flag, gradient

        return self.compute(('the transfer', 'from task', repr(previous.stage.task)), record.stage, compute, tensors,
                            record.data if self.encoder_task_weight else {})

    def objective_head(self, record: StageRecord) -> dict[str, Tensor]:
        """H of a stage before its step as far as :meth:`encoder_objective` depends on it, without a graph."""
        return {name: p.detach() for name, p in self.head_before(record).items()} if self.encoder_task_weight else {}

    def transfer_parts(self, record: StageRecord) -> list[Record]:
        """Eq. 28, ``W~ = W - eta_w grad_W T(A, W~_prev, W)``, and in the last round Eq. 29, as records.

        The pullback of Eq. 28 is Eq. 21-23.
        """
        previous, encoder = record.previous, self.encoder_variable(record)
        if previous is None:
            raise ValueError(f'stage {record.stage.name} has no stage before it to transfer from')
        kept, kept_head = record.take_kept()
        head = self.objective_head(record)

        def loss(inner: list[Tensor], outer: list[Tensor],
                 data: tuple[list[Tensor], list[Tensor], dict[str, Any]]) -> Tensor:
            views, values, batch = data
            teacher, *gates = outer
            return self.encoder_objective(record, previous, self.gates.with_tensors(gates), teacher, inner[0],
                                          dict(zip(head, values, strict=True)), batch, *views).loss

        def data() -> tuple[list[Tensor], list[Tensor], dict[str, Any]]:
            views = self.second_pass_views(record)
            return ([] if views is None else [views], list(head.values()),
                    record.data if self.encoder_task_weight else {})

        what = f"the transfer's pullback from task {previous.stage.task!r}"
        after, rate, share = record.encoder_gradient_step
        transfer = GradientStep(loss, [encoder], [after], [previous.stepped_encoder, *self.gate_variables], [rate],
                                data, bool(record.active), partial(self.run_pullback, what, record.stage),
                                self.reduce, kept, [share])
        parts = [self.generation(record, encoder), transfer, *self.generated_step(record)]
        return parts if record.head is None else [*parts, self.head_part(record, kept_head)]

    def head_part(self, record: StageRecord, kept: KeptGradient | None) -> GradientStep:
        """Eq. 29, ``H~ = H - eta_h grad_H L(A, W~, H)``, as a record.

        Its pullback is Eq. 26 and the last term of Eq. 20.
        """
        head = self.head(record.stage)
        parameters = self.head_before(record)

        def loss(inner: list[Tensor], outer: list[Tensor], data: dict) -> Tensor:
            encoder, *gates = outer
            values = {**dict(zip(parameters, inner, strict=True)), **self.head_constants(head)}
            return self.task_loss(record.stage, self.gates.with_tensors(gates), encoder, values, data)[0]

        before = [Variable(parameter, constant=True) for parameter in parameters.values()]
        return GradientStep(loss, before, list(record.stepped_head.values()),
                            [record.stepped_encoder, *self.gate_variables],
                            [record.head_rules[name].gradient_rate for name in parameters], lambda: record.data,
                            run=partial(self.run_pullback, "the head's pullback", record.stage), mean=self.reduce,
                            kept=kept)

    def train_stage(self, stage: Stage, batch: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        figures = super().train_stage(stage, batch, optim_wrapper)
        if self.hypernetwork_step == 'stage':
            if self.step_space == 'weights':
                self.records[-1].source = {
                    name: p.detach().clone() for name, p in self.encoder_weights.named_parameters()
                }
            step(optim_wrapper['encoder'])
        return figures

    def hypernetwork_step_of(self, stage: Stage, optim_wrapper: OptimWrapperDict) -> HypernetworkStep:
        """The optimiser steps V between stages if ``hypernetwork_step='stage'``: each step then starts at the last."""
        step = super().hypernetwork_step_of(stage, optim_wrapper)
        if self.hypernetwork_step == 'iteration':
            return step
        check_same_step(optim_wrapper['encoder'], self.virtual)
        return step.following(self.records[-1].step if self.records else None)

    def step_optimisers(self, optim_wrapper: OptimWrapperDict) -> None:
        if self.hypernetwork_step == 'iteration':
            step(optim_wrapper['encoder'])
        step(optim_wrapper['head'])

    def second_pass_views(self, record: StageRecord) -> Tensor | None:
        """The augmented images for the second pass of a stage; ``None`` for a transfer without images.

        No derivative of T depends on an image whose set is in no violated pair, unless statistics of the batch connect
        the images.
        """
        views = self.transfer_views(record)
        return views if views is None or record.needed is None else views[record.needed]

    def figures(self) -> dict[str, Tensor]:
        return {**self.transfer_figures(), **super().figures()}

    def transfer_figures(self) -> dict[str, Tensor]:
        """Means over the stages: the share of pairs with an active hinge, and of pairs that the teacher tells apart."""
        figures = {}
        for name in ('active', 'different'):
            values = [r.figures[f'transfer_{name}'] for r in self.records if f'transfer_{name}' in r.figures]
            if values:
                figures[f'transfer/{name}'] = torch.stack(values).mean()
        return figures
