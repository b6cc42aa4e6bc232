"""The steps of A: its gradient through the chain of the weights' one-step updates (paper A.1-A.2, Eq. 19-30).

The chain is W~_1^(1) -> W~_2^(1) -> ... -> W~_K^(M), a one-step update per
stage. :func:`imtnas_mm.chain.sweep` goes through the stages' records from the
last to the first. The graphs of the stages are made again for it, unless
``keep_graphs`` keeps them.
"""
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from ..architecture import flat_importance
from ..chain import Adjoints, Map, Variable, check_twice_differentiable, sweep
from ..compat.focal_loss import plain_focal_loss
from ..compat.tensors import foreach_mul
from ..precision import float32_products
from ..progress import architecture_share
from ..random_state import Purpose
from .architecture_step.cost_term import CostTerm
from .architecture_step.gradient_signal import GradientSignal
from .architecture_step.loss_scale import LossScale
from .stages.record import StageRecord
from .stages.stage import Stage
from .stages.task_pullbacks import ADVICE, HYPERGRADIENTS, PULLBACKS
from .unused import tell_unused
from .weight_stages import WeightStages, check_choice, step

UNROLL_BATCHES = ('val', 'train')


class UnrolledSearch(WeightStages):
    """Stages train the weights; then the validation losses at the weights' one-step updates train A.

    An iteration is :meth:`start_iteration`, :meth:`train_stage` for every
    stage in order, :meth:`update_architecture`, :meth:`step_weights`. The log
    has the figures of :class:`GradientSignal` of A's gradient. A's
    gradient goes only to A's optimiser, and the gradients of the weights only to
    theirs. No ``.grad`` is a sum of both.

    Args:
        search_space, tasks, encoder_weights, rounds, order: of
            :class:`SearchAlgorithm`.
        hypergradient (str): ``exact`` runs A's gradient through the whole
            chain, ``finite_difference`` does so without second derivatives,
            ``first_order`` drops the chain. See docs/hypergradient.md.
        arch_steps (int): steps of A per iteration. The chain is computed again
            before each step (paper A.1).
        unroll_batch (str): the data that judges A: ``val`` is D^val (Eq. 30),
            ``train`` is D^tr, as in the pseudo-code A.3 (reading 5).
        architecture_batches (int): batches of that data per task and step of A.
            A's gradient is the mean over them; the weights and the chain of
            their updates are the same for all.
        loss_normalization (str): the scaling of the validation losses
            (reading 6), see :class:`LossScale`.
        cost (dict, optional): options of :class:`CostTerm`, a term of A's loss
            for the size, operations or latency of the architecture.
        options: options of :class:`WeightStages`.

    Raises:
        ValueError: if an argument is not valid.
    """

    later_entries = ('signal.mean', 'cost.missed')  # of a checkpoint; earlier versions have none

    def __init__(self,
                 search_space: dict[str, Any],
                 tasks: Mapping[str, dict[str, Any]],
                 encoder_weights: dict[str, Any],
                 rounds: int,
                 order: Sequence[str],
                 hypergradient: str = 'exact',
                 arch_steps: int = 1,
                 unroll_batch: str = 'val',
                 architecture_batches: int = 1,
                 loss_normalization: str = 'running_mean',
                 cost: Mapping[str, Any] | None = None,
                 **options: Any) -> None:
        super().__init__(search_space, tasks, encoder_weights, rounds, order, **options)
        check_choice('hypergradient', hypergradient, HYPERGRADIENTS)
        check_choice('unroll_batch', unroll_batch, UNROLL_BATCHES)
        if arch_steps < 1:
            raise ValueError(f'model.arch_steps={arch_steps} must be at least 1; train_cfg.warmup_epochs freezes A')
        if architecture_batches < 1:
            raise ValueError(f'model.architecture_batches={architecture_batches} must be at least 1')
        self.hypergradient = hypergradient
        self.architecture_batches = architecture_batches
        self.arch_steps = arch_steps
        self.unroll_batch = unroll_batch
        self.loss_scale = LossScale(self.order, loss_normalization)
        self.signal = GradientSignal(sum(alpha.numel() for alpha in self.architecture.parameters()))
        self.cost = None if cost is None else CostTerm(
            self.space, self.architecture.named_alphas(), search_space, **cost)
        self._checked: set[str] = set()  # tasks whose loss has a second derivative
        if self.keep_graphs and hypergradient != 'exact':
            tell_unused(type(self).__name__, ['model.keep_graphs=True'],
                        f"it is for model.hypergradient='exact', and not for {hypergradient!r}")

    def final_warnings(self) -> Sequence[str]:
        missed = None if self.cost is None else self.cost.missed_target(self.space, self.architecture.named_alphas())
        return () if missed is None else (missed, )

    def keeps(self, stage: Stage) -> bool:
        return self.hypergradient == 'exact' and not self.warming_up and super().keeps(stage)

    @float32_products(False)
    def update_architecture(self, batches: Sequence[dict[str, dict]],
                            optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """Steps A by Eq. 30, ``arch_steps`` times."""
        data = [{name: self.preprocess(name, batch, Purpose.VALIDATION, index + number * len(self.order))
                 for index, (name, batch) in enumerate(by_task.items())} for number, by_task in enumerate(batches)]
        alphas = self.architecture.named_alphas()
        figures: dict[str, Tensor] = {}
        for index in range(self.arch_steps):
            if index:
                self.refresh_gates()
                self.run_chain_again(optim_wrapper)
            gradient, losses = self.architecture_gradient(data)
            self.ledger.note(f"iteration {self.iteration + 1}, the architecture's step",
                             {f'the gradient of {name}': [part] for name, part in gradient.items()})
            self.settle()
            figures = figures or losses
            before = {name: alpha.detach().clone() for name, alpha in alphas.items()}
            for name, alpha in alphas.items():
                alpha.grad = gradient[name]
            step(optim_wrapper['architecture'])
            self.space.after_architecture_step(before, alphas, self.draw)
        return figures

    def architecture_gradient(self, data: Sequence[dict]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The gradient of Eq. 30, the same on all ranks.

        Args:
            data (sequence of dict): dicts of a preprocessed batch of D_k^val
                per task, over which the gradient is averaged.

        Returns:
            (dict[str, Tensor], dict[str, Tensor]): gradient by group of A; figures.
        """
        self.settle()
        if self.hypergradient == 'exact':
            for record in self.last_records():
                if record.stage.task not in self._checked:
                    self.check_task(record)
                    self._checked.add(record.stage.task)
        gradient, chain, figures = self.loss_gradient(data)
        self.reduce([*gradient.values(), *(chain or {}).values()])
        alphas = self.architecture.named_alphas()
        loss = self.space.architecture_loss(alphas)
        if loss is not None:
            gradient = add_gradient(gradient, loss, alphas)
            figures = {**figures, 'architecture/loss': loss.detach()}
        if self.cost is not None:
            term, of_cost = self.cost(self.space, alphas, architecture_share(self.progress))
            gradient = add_gradient(gradient, term, alphas)
            figures = {**figures, **of_cost}
        return gradient, {**figures, **self.signal.update(gradient, chain)}

    def loss_gradient(self, data: Sequence[dict]
                      ) -> tuple[dict[str, Tensor], dict[str, Tensor] | None, dict[str, Tensor]]:
        """The gradient of the validation losses by A on the data of this rank, by the method ``hypergradient``.

        ``first_order`` is only the direct term of Eq. 20 and 25. If A mixes the
        encoder weights, the direct term goes through W, and the inner gradients
        of the stages are constants.

        Args:
            data: of :meth:`architecture_gradient`.

        Returns:
            (dict[str, Tensor], dict[str, Tensor] | None, dict[str, Tensor]): by
            group of A the gradient, and its part that went through the chain
            (``None`` without a chain); figures.
        """
        pullback = PULLBACKS.get(self.hypergradient)
        chain = pullback is not None or self.encoder_weights.mixed_by_architecture
        adjoints = Adjoints([*self.gate_variables, self.importance_variable])
        figures = {
            f'{task}/val_loss': self.validation_adjoints(
                record, [batches[task] for batches in data], adjoints, chain)
            for task, record in ((record.stage.task, record) for record in self.last_records())}
        if not chain:
            return self.through_gates(adjoints), None, figures
        direct = Adjoints([*self.gate_variables, self.importance_variable])
        direct.add(self.gate_variables, [adjoints.shared[variable] for variable in self.gate_variables])
        sweep(self.records, adjoints, pullback)
        gradient, constant = self.through_gates(adjoints), self.through_gates(direct)
        return gradient, {name: part - constant[name] for name, part in gradient.items()}, figures

    def last_records(self) -> list[StageRecord]:
        """The records of the last round."""
        return self.records[-len(self.order):]

    def validation_adjoints(self, record: StageRecord, data: Sequence[dict], adjoints: Adjoints, chain: bool) -> Tensor:
        """Adds the derivatives of a task's validation loss to the adjoints (Eq. 19; partial ones of Eq. 20 and 25).

        They are ``dLbar/dA``, and with ``chain`` also ``dLbar/dW~_k^(M)`` and ``dLbar/dH~_k^(M)``.

        Args:
            record (StageRecord): the task's stage of the last round.
            data (sequence of dict): preprocessed batches of D_k^val, over which the loss is averaged.
            adjoints (Adjoints): of the sweep.
            chain (bool): whether the sweep goes through the chain.

        Returns:
            Tensor: the mean of the loss over the batches and the ranks.
        """
        head, constants = record.stepped_head, record.head_constants or {}
        names = list(head)

        def compute(number: int, tensors: list[Tensor], data: dict) -> tuple[Tensor, tuple[Tensor, ...]]:
            gates, (encoder, *values) = self.split_gates(tensors)
            gates = gates.leaves()
            encoder, *values = (value.detach().requires_grad_(chain) for value in (encoder, *values))
            loss = self.validation_loss(
                record, gates, encoder, {**dict(zip(names, values, strict=True)), **constants}, data, number)
            targets = [*gates.values()] + ([encoder, *values] if chain else [])
            parts = torch.autograd.grad(loss, targets, allow_unused=True, materialize_grads=True)
            return loss.detach().clone(), parts

        results = [record.stepped_encoder, *head.values()]
        loss, parts = self.compute(('the validation', ), record.stage, partial(compute, 0),
                                   [variable.value for variable in results], data[0])
        for number, batch in enumerate(data[1:], 1):
            other, more = self.compute(('the validation', ), record.stage, partial(compute, number),
                                       [variable.value for variable in results], batch)
            loss, parts = loss + other, [part + another for part, another in zip(parts, more, strict=True)]
        if len(data) > 1:
            loss, parts = loss / len(data), foreach_mul(parts, 1 / len(data))
        parts = foreach_mul(parts, self.validation_factor(record, loss))
        adjoints.add(self.gate_variables + (results if chain else []), parts)
        return loss

    def validation_loss(self, record: StageRecord, gates: Mapping[str, Tensor], encoder: Tensor,
                        head: Mapping[str, Tensor], data: dict, number: int = 0) -> Tensor:
        """L_k^val(A, W~_k^(M), H~_k^(M)) of Eq. 6 on the batch ``number`` of this step of A."""
        return self.task_loss(record.stage, gates, encoder, head, data, Purpose.VALIDATION, number)[0]

    def validation_factor(self, record: StageRecord, loss: Tensor) -> Tensor:
        """The factor of a task's validation loss in Lbar^val, a constant; updates the scale of the loss.

        Args:
            record (StageRecord): the task's stage of the last round.
            loss (Tensor): the mean of the loss over the ranks.
        """
        self.reduce_finite(self.where(record.stage), {'the validation loss': [loss]})
        self.loss_scale.update(record.stage.task, loss)
        return self.loss_scale(record.stage.task, torch.ones_like(loss))

    def through_gates(self, adjoints: Adjoints) -> dict[str, Tensor]:
        """The adjoints of A's alphas by group, from those of its gates and importance weights."""
        alphas = {name: Variable(alpha) for name, alpha in self.architecture.named_alphas().items()}

        def function(values: list[Tensor]) -> list[Tensor]:
            by_name = dict(zip(alphas, values, strict=True))
            gates = self.space.gate_tensors(by_name, self.draw)
            return [flat_importance(self.space.importance(by_name)), *gates.values()]

        relaxation = Map(function, list(alphas.values()), [self.importance_variable, *self.gate_variables])
        sweep([relaxation], adjoints)
        gradient = {name: adjoints.take(variable) for name, variable in alphas.items()}
        return {name: torch.zeros_like(alphas[name].value) if part is None else part
                for name, part in gradient.items()}

    def check_task(self, record: StageRecord) -> None:
        """Raises SecondDerivativeError if the exact chain would lose a term of this task's loss."""
        task, head = self.tasks[record.stage.task], self.head(record.stage)
        gates = self.gates.leaves()
        encoder = record.virtual_encoder.detach().requires_grad_()
        values = {**head.trained(), **self.head_constants(head)}

        def loss() -> Tensor:
            with plain_focal_loss():
                return self.task_loss(record.stage, gates, encoder, values, record.data)[0]

        check_twice_differentiable(loss, task.template, f'tasks.{record.stage.task}.', ADVICE)


def add_gradient(gradient: Mapping[str, Tensor], loss: Tensor, alphas: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The gradient of A by group, plus that of another term of A's loss."""
    parts = torch.autograd.grad(loss, list(alphas.values()), allow_unused=True, materialize_grads=True)
    return {name: gradient[name] + part for name, part in zip(alphas, parts, strict=True)}
