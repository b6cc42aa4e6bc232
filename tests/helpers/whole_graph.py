"""The chain of Eq. 27-30 as one graph, written without the project's sweep: the oracle for its gradient."""
from dataclasses import dataclass, field

import torch

from imtnas_mm.architecture import flat_importance
from imtnas_mm.random_state import Purpose
from imtnas_mm.transfer import Encoder


class StepsOfW:
    """The plain steps of the encoder weights."""

    def start(self, model, importance):
        self.model, self.importance = model, importance

    def encoder(self, stage):
        """W before the step of a stage."""
        encoder = self.model.encoder_weights.generate(stage.task_index, stage.round, self.importance)
        self.before = encoder if encoder.requires_grad else encoder.detach().requires_grad_()
        return self.before

    def stepped(self, loss, rate):
        """W~ of this stage."""
        return self.before - rate * torch.autograd.grad(loss, [self.before], create_graph=True)[0]


@dataclass
class StepsOfV:
    """The steps of the hypernetwork's parameters V by PyTorch's SGD, written out with a graph.

    ``chained``: each stage starts from the V and the momentum of the stage before.
    """
    values: dict
    buffers: dict = field(default_factory=dict)
    chained: bool = False
    momentum: float = 0.
    dampening: float = 0.
    nesterov: bool = False
    weight_decay: float = 0.
    max_norm: float | None = None
    rates: dict = field(default_factory=dict)  # of single parameters

    def start(self, model, importance):
        self.model, self.importance = model, importance
        self.state = {n: v.detach().requires_grad_() for n, v in self.values.items()}, self.buffers

    def generate(self, values):
        arguments = self.stage.task_index, self.stage.round, self.importance
        return torch.func.functional_call(self.model.encoder_weights, values, arguments)

    def encoder(self, stage):
        self.stage, (values, _) = stage, self.state
        self.before = {n: v.clone() for n, v in values.items()}  # the teacher depends on V, too, and isn't stepped
        return self.generate(self.before)

    def stepped(self, loss, rate):
        gradients, buffers = torch.autograd.grad(loss, list(self.before.values()), create_graph=True), self.state[1]
        if self.max_norm is not None:
            norm = torch.cat([g.flatten() for g in gradients]).norm()
            if norm > self.max_norm:
                gradients = [g * self.max_norm / (norm + 1e-6) for g in gradients]
        after, kept = {}, {}
        for (name, value), g in zip(self.before.items(), gradients, strict=True):
            g = g + self.weight_decay * value
            b = self.momentum * buffers[name] + (1 - self.dampening) * g if name in buffers else g
            kept[name] = b
            g = (g + self.momentum * b if self.nesterov else b) if self.momentum else g
            after[name] = value - self.rates.get(name, rate) * g
        if self.chained:
            self.state = after, kept
        return self.generate(after)


def validation_loss(model, alphas, prepared, val, rates, steps=None):
    """A -> sum_k Lbar_k^val, differentiable through every stage.

    Args:
        alphas (dict[str, Tensor]): A.
        prepared (list): (preprocessed batch, views) per stage.
        val (dict): preprocessed batches of D^val.
        rates (tuple): eta_w, eta_h.
        steps (StepsOfW or StepsOfV, optional): of the encoder; in W by default.
    """
    gates = model.space.gate_tensors(alphas, model.draw)
    importance = flat_importance(model.space.importance(alphas))
    eta_w, eta_h = rates
    teacher = previous = None
    total = 0
    steps = steps or StepsOfW()
    steps.start(model, importance)
    for stage, (data, views) in zip(model.stages, prepared, strict=True):
        task, head = model.tasks[stage.task], model.heads[stage.task][stage.round]
        names = [n for n, _ in head.named_parameters()]
        head_parameters = {n: p.detach().requires_grad_() for n, p in head.named_parameters()}
        constants = {n: b.clone() for n, b in head.named_buffers()}
        encoder = steps.encoder(stage)
        if teacher is None:
            loss, _ = model.task_loss(stage, gates, encoder, {**head_parameters, **constants}, data)
            head_steps = torch.autograd.grad(loss, list(head_parameters.values()), create_graph=True)
            virtual = steps.stepped(loss, eta_w)
        else:
            def embed(weights, task):
                return lambda images: task.embed(weights, gates, images)
            virtual = encoder
            objective = encoder.sum() * 0
            if model.transfer is not None:
                teaching = model.transfer.teacher_side(
                    Encoder(teacher, embed(teacher, model.tasks[previous.task])), views)
                objective = model.transfer.student_side(Encoder(encoder, embed(encoder, task)), views, teaching).loss
            if model.encoder_task_weight:  # H is a constant here, or grad_H below would see W~ move with it
                fixed = {n: p.detach() for n, p in head_parameters.items()}
                objective = objective + model.encoder_task_weight * model.task_loss(
                    stage, gates, encoder, {**fixed, **constants}, data)[0]
            virtual = steps.stepped(objective, eta_w)
            loss, _ = model.task_loss(stage, gates, virtual, {**head_parameters, **constants}, data)
            head_steps = torch.autograd.grad(loss, list(head_parameters.values()), create_graph=True, allow_unused=True,
                                             materialize_grads=True)
        if stage.round == model.rounds - 1:
            virtual_head = {n: head_parameters[n] - eta_h * s for n, s in zip(names, head_steps, strict=True)}
            loss, _ = model.task_loss(stage, gates, virtual, {**virtual_head, **constants}, val[stage.task],
                                      Purpose.VALIDATION)
            total = total + loss
        teacher, previous = virtual, stage
    return total


def whole_graph_gradient(model, prepared, val, rates, steps=None):
    """(loss, gradient by group of A)"""
    alphas = {n: a.detach().clone().requires_grad_() for n, a in model.architecture.named_alphas().items()}
    loss = validation_loss(model, alphas, prepared, val, rates, steps)
    return loss.detach(), dict(zip(alphas, torch.autograd.grad(loss, list(alphas.values())), strict=True))
