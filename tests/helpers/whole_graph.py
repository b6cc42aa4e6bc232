"""The chain of Eq. 27-30 as one graph, written without the project's sweep: the oracle for its gradient."""
import torch

from imtnas_mm.algorithms.base import FOR_VALIDATION
from imtnas_mm.architecture import flat_importance
from imtnas_mm.transfer import Encoder


def validation_loss(model, alphas, prepared, val, rates):
    """A -> sum_k Lbar_k^val, differentiable through every stage.

    Args:
        alphas (dict[str, Tensor]): A.
        prepared (list): (preprocessed batch, views) per stage.
        val (dict): preprocessed batches of D^val.
        rates (tuple): eta_w, eta_h.
    """
    gates = model.space.gate_tensors(alphas, model.draw)
    importance = flat_importance(model.space.importance(alphas))
    eta_w, eta_h = rates
    teacher = previous = None
    total = 0
    for stage, (data, views) in zip(model.stages, prepared, strict=True):
        task, head = model.tasks[stage.task], model.heads[stage.task][stage.round]
        names = [n for n, _ in head.named_parameters()]
        head_parameters = {n: p.detach().requires_grad_() for n, p in head.named_parameters()}
        buffers = {n: b.clone() for n, b in head.named_buffers()}
        encoder = model.encoder_weights.generate(stage.task_index, stage.round, importance)
        if not encoder.requires_grad:
            encoder = encoder.detach().requires_grad_()
        if teacher is None:
            loss, _ = model.task_loss(stage, gates, encoder, {**head_parameters, **buffers}, data)
            step, *head_steps = torch.autograd.grad(loss, [encoder, *head_parameters.values()], create_graph=True)
            virtual = encoder - eta_w * step
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
                    stage, gates, encoder, {**fixed, **buffers}, data)[0]
            step, = torch.autograd.grad(objective, [encoder], create_graph=True)
            virtual = encoder - eta_w * step
            loss, _ = model.task_loss(stage, gates, virtual, {**head_parameters, **buffers}, data)
            head_steps = torch.autograd.grad(loss, list(head_parameters.values()), create_graph=True, allow_unused=True,
                                             materialize_grads=True)
        if stage.round == model.rounds - 1:
            virtual_head = {n: head_parameters[n] - eta_h * s for n, s in zip(names, head_steps, strict=True)}
            loss, _ = model.task_loss(stage, gates, virtual, {**virtual_head, **buffers}, val[stage.task],
                                      FOR_VALIDATION)
            total = total + loss
        teacher, previous = virtual, stage
    return total


def whole_graph_gradient(model, prepared, val, rates):
    """(loss, gradient by group of A)"""
    alphas = {n: a.detach().clone().requires_grad_() for n, a in model.architecture.named_alphas().items()}
    loss = validation_loss(model, alphas, prepared, val, rates)
    return loss.detach(), dict(zip(alphas, torch.autograd.grad(loss, list(alphas.values())), strict=True))
