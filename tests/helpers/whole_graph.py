"""The chain of Eq. 27-30 as one graph, written without the project's sweep: the oracle for its gradient."""
from dataclasses import dataclass, field

import torch

from imtnas_mm.algorithms.base import FOR_VALIDATION
from imtnas_mm.architecture import flat_importance
from imtnas_mm.transfer import Encoder


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

    def generate(self, model, stage, values, importance):
        return torch.func.functional_call(model.encoder_weights, values, (stage.task_index, stage.round, importance))

    def step(self, loss, values, buffers, rate):
        gradients = torch.autograd.grad(loss, list(values.values()), create_graph=True)
        if self.max_norm is not None:
            norm = torch.cat([g.flatten() for g in gradients]).norm()
            if norm > self.max_norm:
                gradients = [g * self.max_norm / (norm + 1e-6) for g in gradients]
        after, kept = {}, {}
        for (name, value), g in zip(values.items(), gradients, strict=True):
            g = g + self.weight_decay * value
            b = self.momentum * buffers[name] + (1 - self.dampening) * g if name in buffers else g
            kept[name] = b
            g = (g + self.momentum * b if self.nesterov else b) if self.momentum else g
            after[name] = value - self.rates.get(name, rate) * g
        return after, kept


def validation_loss(model, alphas, prepared, val, rates, steps=None):
    """A -> sum_k Lbar_k^val, differentiable through every stage.

    Args:
        alphas (dict[str, Tensor]): A.
        prepared (list): (preprocessed batch, views) per stage.
        val (dict): preprocessed batches of D^val.
        rates (tuple): eta_w, eta_h.
        steps (StepsOfV, optional): steps V instead of W.
    """
    gates = model.space.gate_tensors(alphas, model.draw)
    importance = flat_importance(model.space.importance(alphas))
    eta_w, eta_h = rates
    teacher = previous = values = buffers = None
    total = 0
    if steps is not None:
        values = {n: v.detach().requires_grad_() for n, v in steps.values.items()}
        buffers = steps.buffers
    for stage, (data, views) in zip(model.stages, prepared, strict=True):
        task, head = model.tasks[stage.task], model.heads[stage.task][stage.round]
        names = [n for n, _ in head.named_parameters()]
        head_parameters = {n: p.detach().requires_grad_() for n, p in head.named_parameters()}
        constants = {n: b.clone() for n, b in head.named_buffers()}
        if steps is None:
            encoder = model.encoder_weights.generate(stage.task_index, stage.round, importance)
        else:
            encoder = steps.generate(model, stage, values, importance)
        if not encoder.requires_grad:
            encoder = encoder.detach().requires_grad_()

        def stepped(loss, stage=stage, encoder=encoder):
            nonlocal values, buffers
            if steps is None:
                step, = torch.autograd.grad(loss, [encoder], create_graph=True)
                return encoder - eta_w * step
            after, momentum = steps.step(loss, values, buffers, eta_w)
            if steps.chained:
                values, buffers = after, momentum
            return steps.generate(model, stage, after, importance)

        if teacher is None:
            loss, _ = model.task_loss(stage, gates, encoder, {**head_parameters, **constants}, data)
            head_steps = torch.autograd.grad(loss, list(head_parameters.values()), create_graph=True)
            virtual = stepped(loss)
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
            virtual = stepped(objective)
            loss, _ = model.task_loss(stage, gates, virtual, {**head_parameters, **constants}, data)
            head_steps = torch.autograd.grad(loss, list(head_parameters.values()), create_graph=True, allow_unused=True,
                                             materialize_grads=True)
        if stage.round == model.rounds - 1:
            virtual_head = {n: head_parameters[n] - eta_h * s for n, s in zip(names, head_steps, strict=True)}
            loss, _ = model.task_loss(stage, gates, virtual, {**virtual_head, **constants}, val[stage.task],
                                      FOR_VALIDATION)
            total = total + loss
        teacher, previous = virtual, stage
    return total


def whole_graph_gradient(model, prepared, val, rates, steps=None):
    """(loss, gradient by group of A)"""
    alphas = {n: a.detach().clone().requires_grad_() for n, a in model.architecture.named_alphas().items()}
    loss = validation_loss(model, alphas, prepared, val, rates, steps)
    return loss.detach(), dict(zip(alphas, torch.autograd.grad(loss, list(alphas.values())), strict=True))
