"""Interleaving multi-task architecture search, the paper's method (Sec. 3, Algorithm 2)."""
from functools import partial
from typing import Any

import torch
from mmengine.dist import get_rank
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from ..chain import GradientStep, KeptGradient, Record, Variable, gradients, leaves
from ..random_state import isolated_random
from ..registry import MODELS
from ..transfer import Encoder, TransferLoss
from .base import FOR_VIEWS
from .stage import Stage
from .stage_record import StageRecord
from .unrolled import UnrolledSearch
from .weight_stages import ENCODER_GRADIENT, HEAD_GRADIENT, TASK_LOSS, check_choice, step

HYPERNETWORK_STEPS = ('iteration', 'stage')


@MODELS.register_module()
class IMTNAS(UnrolledSearch):
    """K tasks learned in an interleaved loop of M rounds, then A from all validation losses.

    One iteration is Algorithm 2.

    Args:
        transfer (dict, optional): config of the knowledge transfer; ``None``
            switches it off (the paper's C = 0).
        encoder_task_weight (float): share of the task loss in the encoder's
            update after the first stage; 0 is Eq. 4 (reading 2).
        hypernetwork_step (str): ``iteration`` steps the encoder weights once,
            on the sum of the stages' gradients; ``stage`` after each
            (reading 11).
        options: of :class:`UnrolledSearch`.
    """

    def __init__(self,
                 search_space,
                 tasks,
                 encoder_weights,
                 rounds,
                 order,
                 transfer=None,
                 encoder_task_weight=0.,
                 hypernetwork_step='iteration',
                 **options):
        super().__init__(search_space, tasks, encoder_weights, rounds, order, **options)
        check_choice('hypernetwork_step', hypernetwork_step, HYPERNETWORK_STEPS)
        if encoder_task_weight < 0:
            raise ValueError(f'model.encoder_task_weight={encoder_task_weight} must not be negative')
        if self.virtual['momentum'] and hypernetwork_step == 'stage':
            raise ValueError("model.virtual_step.momentum with hypernetwork_step='stage': the momentum of a stage is "
                             "gone once its optimiser has stepped; use hypernetwork_step='iteration'")
        self.transfer = MODELS.build(transfer) if transfer is not None else None
        self.encoder_task_weight = encoder_task_weight
        self.hypernetwork_step = hypernetwork_step

    @property
    def num_examples(self) -> int:
        return self.transfer.num_examples if self.transfer is not None and len(self.stages) > 1 else 0

    # --- the losses of a stage, as functions of everything they depend on ---

    def encoder_of(self, stage, gates, weights):
        """The encoder W of a stage's task at A, as a transfer sees it."""
        task = self.tasks[stage.task]
        return Encoder(weights, lambda images: task.embed(weights, gates, images))

    def transfer_examples(self, stage, previous, raw):
        """A transfer's examples (paper 3.1.2), half from the previous task, half from its own: [S, 3, h, w]."""
        size = self.transfer.image_size
        images = torch.cat([self.tasks[s.task].examples(inputs, size)
                            for s, inputs in zip((previous, stage), raw, strict=True)])
        return images.to(self.importance.dtype)

    def transfer_views(self, record):
        """The augmented images of a stage, the same ones whenever it is asked; what a transfer makes of no examples."""
        with isolated_random(self.seed, FOR_VIEWS, self.iteration, record.stage.index, get_rank()):
            return self.transfer.views(record.examples)

    def encoder_objective(self, record, previous, gates, teacher, encoder, data, views=None):
        """What trains the encoder after the first stage: Eq. 4, plus a share of the task loss by reading 2.

        Args:
            record, previous (StageRecord): the stage and the one before it.
            gates (dict[str, Tensor]): of the space, at A.
            teacher (Tensor): W~ of the stage before, [D].
            encoder (Tensor): W of this stage, [D].
            data (dict): the preprocessed batch, for a share of the task loss.
            views (Tensor, optional): some of the augmented images, all by default.

        Returns:
            TransferLoss
        """
        objective, figures, needed = encoder.new_zeros(()), {}, None
        if self.transfer is not None:
            views = self.transfer_views(record) if views is None else views
            teaching = self.transfer.teacher_side(self.encoder_of(previous.stage, gates, teacher), views)
            found = self.transfer.student_side(self.encoder_of(record.stage, gates, encoder), views, teaching)
            objective, needed = objective + found.loss, found.needed
            figures = {'transfer_loss': found.loss.detach(), **{f'transfer_{n}': v for n, v in found.figures.items()}}
        if self.encoder_task_weight:
            head = self.head(record.stage)
            values = {**head.trained(), **self.head_constants(head)}
            loss, _ = self.task_loss(record.stage, gates, encoder, values, data)
            objective = objective + self.encoder_task_weight * loss
        return TransferLoss(objective, figures, needed)

    # --- the stages ---

    def new_record(self, stage: Stage, batch: dict, optim_wrapper: OptimWrapperDict) -> StageRecord:
        record = super().new_record(stage, batch, optim_wrapper)
        if stage.index and self.num_examples:
            record.examples = self.transfer_examples(stage, self.records[-1].stage, batch['examples'])
        return record

    def stage_steps(self, record, encoder, parameters, constants, optim_wrapper):
        """The first stage by its task's loss; W of the others by the stage before, then H by the task's loss at W~."""
        if not self.records:
            return super().stage_steps(record, encoder, parameters, constants, optim_wrapper)
        previous = record.previous = self.records[-1]
        loss, record.figures, needed, record.active, encoder_gradient = self.transfer_step(
            record, previous, encoder)
        record.needed = None if self.space.couples_images else needed
        if record.active is not False:
            self.reduce_finite(self.where(record.stage), {
                'the transfer loss': [loss.clone()], ENCODER_GRADIENT: [encoder_gradient]})
        record.encoder = Variable(self.virtual_encoder(record, encoder, encoder_gradient, optim_wrapper))
        record.parts = self.transfer_parts
        names = list(parameters)

        def compute(tensors, data):
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

    def transfer_step(self, record, previous, encoder):
        """:meth:`encoder_objective` and its gradient by W.

        Returns:
            (Tensor, dict, Tensor | None, bool | Tensor, Tensor [D]): T, figures,
            the views it depends on, whether it isn't zero on any rank, and the
            gradient. The fourth is a flag of the host where that costs nothing,
            and a Tensor on a GPU. There the gradient is taken either way,
            because asking for the flag costs more.
        """
        views = None if self.transfer is None else self.transfer_views(record)
        given = [previous.virtual_encoder, encoder] + ([] if views is None else [views])

        def compute(tensors, data):
            gates, (teacher, encoder, *views) = self.split_gates(tensors)
            keeps = self.keeps(record.stage)
            if keeps:  # optimisers may change the weights in place before the sweep
                gates, (teacher, ), encoder = gates.leaves(), leaves([teacher]), encoder.clone()
            encoder, = leaves([encoder])
            found = self.encoder_objective(record, previous, gates, teacher, encoder, data, *views)
            flag = self.any_rank(found.loss.detach() != 0)
            if flag is False:
                gradient = torch.zeros_like(encoder)
            elif keeps:
                record.kept = KeptGradient.of(found.loss, [encoder], [teacher, *gates.values()])
                gradient, = record.kept.values()
            else:
                gradient, = gradients(found.loss, [encoder])
            return found.loss.detach(), found.figures, found.needed, flag, gradient

        return self.compute(('the transfer', 'from task', repr(previous.stage.task)), record.stage, compute, given,
                            record.data if self.encoder_task_weight else ())

    def transfer_parts(self, record: StageRecord) -> list[Record]:
        """Eq. 28, ``W~ = W - eta_w grad_W T(A, W~_prev, W)``, and in the last round Eq. 29, as records.

        The pullback of Eq. 28 is Eq. 21-23.
        """
        previous, encoder = record.previous, self.encoder_variable(record)
        kept, kept_head = record.take_kept()

        def loss(inner: list[Tensor], outer: list[Tensor], data: Any) -> Tensor:
            views, data = data
            teacher, *gates = outer
            return self.encoder_objective(
                record, previous, self.gates.with_tensors(gates), teacher, inner[0], data, *views).loss

        def data() -> tuple[list[Tensor], Any]:
            views = None if self.transfer is None else self.second_pass_views(record)
            return [] if views is None else [views], record.data if self.encoder_task_weight else ()

        what = f"the transfer's pullback from task {previous.stage.task!r}"
        transfer = GradientStep(loss, [encoder], [record.encoder], [previous.encoder, *self.gate_variables],
                                [record.encoder_rate], data, bool(record.active),
                                partial(self.run_pullback, what, record.stage), self.reduce, kept)
        parts = [self.generation(record, encoder), transfer]
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
        return GradientStep(loss, before, list(record.head.values()), [record.encoder, *self.gate_variables],
                            [record.head_rate] * len(before), lambda: record.data,
                            run=partial(self.run_pullback, "the head's pullback", record.stage), mean=self.reduce,
                            kept=kept)

    def train_stage(self, stage: Stage, batch: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        figures = super().train_stage(stage, batch, optim_wrapper)
        if self.hypernetwork_step == 'stage':
            self.records[-1].source = {n: p.detach().clone() for n, p in self.encoder_weights.named_parameters()}
            step(optim_wrapper['encoder'])
        return figures

    def step_optimisers(self, optim_wrapper):
        if self.hypernetwork_step == 'iteration':
            step(optim_wrapper['encoder'])
        step(optim_wrapper['head'])

    def second_pass_views(self, record: StageRecord) -> Tensor | None:
        """The augmented images that a stage's second pass needs; ``None`` for a transfer without images.

        An image whose set is in no violated pair matters to no derivative of T, unless other images see it through
        statistics of the batch.
        """
        views = self.transfer_views(record)
        return views if record.needed is None else views[record.needed]

    def figures(self) -> dict[str, Tensor]:
        return {**self.transfer_figures(), **super().figures()}

    def transfer_figures(self) -> dict[str, Tensor]:
        """Means over the stages: what share of pairs the hinge was active for, and the teacher told apart."""
        figures = {}
        for name in ('active', 'different'):
            values = [r.figures[f'transfer_{name}'] for r in self.records if f'transfer_{name}' in r.figures]
            if values:
                figures[f'transfer/{name}'] = torch.stack(values).mean()
        return figures
