"""The gradient of the validation losses by A (paper A.1-A.2, Eq. 19-30)."""
import torch


def direct_term(algorithm, data):
    """The first term of Eq. 20 and 25 summed over tasks: dLbar/dA at fixed W~ and H~.

    Args:
        algorithm (IMTNAS): after its stages; their records hold W~ and H~.
        data (dict): preprocessed batch of D_k^val a task.

    Returns:
        (dict[str, Tensor], dict[str, Tensor]): gradient by group of A, and the
        tasks' validation losses. One task's graph is held at a time.
    """
    alphas = {name: alpha.detach().requires_grad_() for name, alpha in algorithm.architecture.named_alphas().items()}
    total = {name: torch.zeros_like(alpha) for name, alpha in alphas.items()}
    figures = {}
    for record in algorithm.records[-len(algorithm.order):]:
        gates = algorithm.space.gate_tensors(alphas, algorithm.draw)
        loss, raw = algorithm.validation_loss(record, gates, record.virtual_encoder, record.virtual_head,
                                              data[record.stage.task])
        parts = torch.autograd.grad(loss, list(alphas.values()))
        torch._foreach_add_(list(total.values()), parts)
        figures[f'{record.stage.task}/val_loss'] = raw
    return total, figures


def first_order(algorithm, data):
    """Only the direct term: what is left of Eq. 30 without the chain."""
    return direct_term(algorithm, data)
