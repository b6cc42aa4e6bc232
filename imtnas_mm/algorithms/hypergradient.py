"""The gradient of the validation losses by A (paper A.1-A.2, Eq. 19-30).

The chain is W~_1^(1) -> W~_2^(1) -> ... -> W~_K^(M), a one-step update a
stage. Nothing of it is kept as a graph: :func:`sweep` goes through the stages
from the last to the first, makes one stage again at a time, and carries the
adjoints ``bar x = dLbar/dx`` of W~ and H~ back to A and to the stage before.
Peak memory is one stage's, whatever M and K are.
"""
from contextlib import contextmanager

import torch

from ..architecture import flat_importance
from .second_derivative import SecondDerivativeError, check_twice_differentiable, difference_pullback, exact_pullback

PULLBACKS = dict(exact=exact_pullback, finite_difference=difference_pullback)
HYPERGRADIENTS = ('first_order', *PULLBACKS)


class Adjoints:
    """``bar A`` by its two ways into the losses, and ``bar W~``, ``bar H~`` of the stages still to come."""

    def __init__(self, gates, importance):
        self.gates = {name: torch.zeros_like(gate) for name, gate in gates.items()}
        self.importance = torch.zeros_like(importance)
        self.encoders = {}  # stage index -> [D]
        self.heads = {}  # stage index -> by parameter name

    def add_gates(self, parts):
        torch._foreach_add_(list(self.gates.values()), list(parts))

    def add_encoder(self, stage, part):
        self.encoders[stage.index] = self.encoders[stage.index] + part if stage.index in self.encoders else part

    def to_architecture(self, algorithm):
        """Through A's gates and importance weights to its alphas: dict of group -> Tensor."""
        alphas = {name: a.detach().requires_grad_() for name, a in algorithm.architecture.named_alphas().items()}
        gates = algorithm.space.gate_tensors(alphas, algorithm.draw)
        importance = flat_importance(algorithm.space.importance(alphas))
        outputs, adjoints = [importance], [self.importance]
        for name, gate in gates.items():
            if gate.requires_grad:
                outputs.append(gate)
                adjoints.append(self.gates[name])
        found = torch.autograd.grad(outputs, list(alphas.values()), adjoints, allow_unused=True, materialize_grads=True)
        return dict(zip(alphas, found, strict=True))


def validation_adjoints(algorithm, data, adjoints, chain):
    """Eq. 19, and the partial derivatives of Eq. 20 and 25: ``dLbar/dA``, and with ``chain`` also ``dLbar/dW~_k^(M)``
    and ``dLbar/dH~_k^(M)``, one task at a time.

    Args:
        data (dict): preprocessed batch of D_k^val a task.

    Returns:
        dict[str, Tensor]: the tasks' validation losses.
    """
    figures = {}
    for record in algorithm.records[-len(algorithm.order):]:
        names = list(algorithm.head(record.stage).trained())
        constants = {name: value for name, value in record.virtual_head.items() if name not in names}

        def compute(tensors, data, record=record, names=names, constants=constants):
            gates, (encoder, *values) = algorithm.split_gates(tensors)
            gates = gates.leaves()
            encoder, *values = (value.detach().requires_grad_(chain) for value in (encoder, *values))
            loss = algorithm.validation_loss(
                record, gates, encoder, {**dict(zip(names, values, strict=True)), **constants}, data)
            targets = [*gates.values()] + ([encoder, *values] if chain else [])
            parts = torch.autograd.grad(loss, targets, allow_unused=True, materialize_grads=True)
            return loss.detach().clone(), parts

        raw, parts = algorithm.compute(('the validation', ), record.stage, compute,
                                       [record.virtual_encoder, *(record.virtual_head[name] for name in names)],
                                       data[record.stage.task])
        parts = torch._foreach_mul(parts, algorithm.validation_factor(record, raw))
        adjoints.add_gates(parts[:len(adjoints.gates)])
        if chain:
            encoder, *values = parts[len(adjoints.gates):]
            adjoints.add_encoder(record.stage, encoder)
            adjoints.heads[record.stage.index] = dict(zip(names, values, strict=True))
        figures[f'{record.stage.task}/val_loss'] = raw
    return figures


def pulled(algorithm, what, record, pullback, loss, inner, outer, adjoint, data=None):
    """``pullback`` of ``loss(inner, [*outer, *gates], data)``, replayed where the stage's computations are.

    Args:
        what (str): names the computation.
        data: what else the loss takes; the stage's batch by default.

    Returns:
        list[Tensor]: shaped as inner, outer, gates.
    """
    sizes = len(inner), len(outer)

    def compute(tensors, data):
        gates, tensors = algorithm.split_gates(tensors)
        inner, outer, adjoint = tensors[:sizes[0]], tensors[sizes[0]:sum(sizes)], tensors[sum(sizes):]
        return pullback(lambda inner, outer: loss(inner, outer, data), inner, [*outer, *gates.values()], adjoint)

    return algorithm.compute((what, pullback.__name__), record.stage, compute, [*inner, *outer, *adjoint],
                             record.data if data is None else data)


def head_pullback(algorithm, record, pullback, adjoint):
    """The adjoint of Eq. 29, ``H~ = H - eta_h grad_H L(A, W~, H)`` (Eq. 26, and the last term of Eq. 20).

    Args:
        adjoint (dict[str, Tensor]): bar H~.

    Returns:
        (list[Tensor], Tensor [D]): what it adds to the gates' adjoints and to bar W~.
    """
    head = algorithm.head(record.stage)
    parameters = algorithm.head_before(record)

    def loss(inner, outer, data):
        gates = algorithm.gates.with_tensors(outer[1:])
        values = {**dict(zip(parameters, inner, strict=True)), **algorithm.head_constants(head)}
        return algorithm.task_loss(record.stage, gates, outer[0], values, data)[0]

    scaled = [-record.head_rate * adjoint[name] for name in parameters]
    parts = pulled(algorithm, "the head's pullback", record, pullback, loss, list(parameters.values()),
                   [record.virtual_encoder], scaled)
    parts = parts[len(parameters):]
    return parts[1:], parts[0]


def first_stage_pullback(algorithm, record, pullback, encoder_adjoint, head_adjoint):
    """The adjoint of Eq. 27 and 12, where W and H are both stepped by ``L_1(A, W, H)`` (Eq. 24).

    Args:
        encoder_adjoint (Tensor): bar W~, [D].
        head_adjoint (dict[str, Tensor], optional): bar H~; ``None`` unless M = 1.

    Returns:
        (list[Tensor], Tensor [D]): what it adds to the gates' adjoints, and the
        inner gradient's part of bar W.
    """
    head = algorithm.head(record.stage)
    parameters = algorithm.head_before(record)
    stepped = head_adjoint is not None

    def loss(inner, outer, data):
        fixed, data = data
        gates = algorithm.gates.with_tensors(outer)
        values = dict(zip(parameters, inner[1:] if stepped else fixed, strict=True))
        return algorithm.stage_loss(
            record.stage, gates, inner[0], {**values, **algorithm.head_constants(head)}, data)[0]

    scaled = [-record.encoder_rate * encoder_adjoint]
    inner = [algorithm.encoder_before(record)]
    if stepped:
        scaled += [-record.head_rate * head_adjoint[name] for name in parameters]
        inner += list(parameters.values())
    parts = pulled(algorithm, 'the pullback with the head' if stepped else 'the pullback', record, pullback, loss,
                   inner, [], scaled, ([] if stepped else list(parameters.values()), record.data))
    return parts[len(inner):], parts[0]


def transfer_pullback(algorithm, record, previous, pullback, adjoint):
    """The adjoint of Eq. 28, ``W~ = W - eta_w grad_W T(A, W~_prev, W)`` (Eq. 21-23).

    Args:
        previous (StageRecord): the stage before.
        adjoint (Tensor): bar W~, [D].

    Returns:
        (list[Tensor], Tensor [D], Tensor [D]): what it adds to the gates'
        adjoints and to bar W~_prev, and the inner gradient's part of bar W.
    """
    views = algorithm.second_pass_views(record)

    def loss(inner, outer, data):
        views, data = data
        gates = algorithm.gates.with_tensors(outer[1:])
        return algorithm.encoder_objective(record, previous, gates, outer[0], inner[0], data, *views).loss

    parts = pulled(algorithm, f"the transfer's pullback from task {previous.stage.task!r}", record, pullback, loss,
                   [algorithm.encoder_before(record)], [previous.virtual_encoder], [-record.encoder_rate * adjoint],
                   ([] if views is None else [views], record.data if algorithm.encoder_task_weight else ()))
    return parts[2:], parts[1], parts[0]


@contextmanager
def named(record, pullback):
    """An operator that refuses a second derivative by itself is refused with the task's name."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        if pullback is not exact_pullback or isinstance(error, SecondDerivativeError):
            raise
        raise SecondDerivativeError(
            f"tasks.{record.stage.task} (stage {record.stage.name}): hypergradient='exact' failed in its second "
            f"derivative: {error}. Use hypergradient='finite_difference' or 'first_order', or a module without this "
            'operator') from error


def sweep(algorithm, data, pullback):
    """Eq. 30 through the whole chain, from the last stage to the first.

    A stage without a non-zero inner gradient needs no second pass: nothing
    reaches the stage before it, and A only through ``g(V, A, k, m)``.

    Adjoints are sums over what each rank's data add. A second pass is linear
    in the adjoint, too, but its loss is the rank's own: the adjoint that it is
    given must be the mean over the ranks. All else is linear in adjoints alone
    and waits for the mean of the result.

    Args:
        algorithm (UnrolledSearch): after its stages.
        data (dict): preprocessed batch of D_k^val a task.
        pullback: :func:`exact_pullback` or :func:`difference_pullback`.

    Returns:
        (dict[str, Tensor], dict[str, Tensor]): gradient by group of A; losses.
    """
    adjoints = Adjoints(algorithm.gates, algorithm.importance)
    figures = validation_adjoints(algorithm, data, adjoints, chain=True)
    algorithm.join_adjoints(adjoints)
    for record in reversed(algorithm.records):
        bar_encoder = adjoints.encoders.pop(record.stage.index, None)
        bar_head = adjoints.heads.pop(record.stage.index, None)
        if bar_encoder is None:
            continue
        previous = algorithm.previous(record)
        algorithm.pass_on(record, bar_encoder, adjoints)
        if previous is not None and bar_head is not None:
            algorithm.reduce(list(bar_head.values()))
            with named(record, pullback):
                gates, part = head_pullback(algorithm, record, pullback, bar_head)
            adjoints.add_gates(gates)
            bar_encoder = bar_encoder + part
        through_step = None
        if previous is None:
            algorithm.reduce([bar_encoder, *(bar_head or {}).values()])
            with named(record, pullback):
                gates, through_step = first_stage_pullback(algorithm, record, pullback, bar_encoder, bar_head)
            adjoints.add_gates(gates)
        elif record.active:
            algorithm.reduce([bar_encoder])
            with named(record, pullback):
                gates, bar_previous, through_step = transfer_pullback(
                    algorithm, record, previous, pullback, bar_encoder)
            adjoints.add_gates(gates)
            adjoints.add_encoder(previous.stage, bar_previous)
        bar_before = algorithm.virtual_decay(record, bar_encoder)
        if through_step is not None:
            bar_before = bar_before + through_step
        adjoints.importance += algorithm.importance_pullback(record, bar_before)
    return adjoints.to_architecture(algorithm), figures


def first_order(algorithm, data):
    """Only the direct term of Eq. 20 and 25: what is left of Eq. 30 without the chain."""
    adjoints = Adjoints(algorithm.gates, algorithm.importance)
    mixed = algorithm.encoder_weights.mixed_by_architecture
    figures = validation_adjoints(algorithm, data, adjoints, chain=mixed)
    if mixed:
        for record in algorithm.records[-len(algorithm.order):]:
            adjoints.importance += algorithm.importance_pullback(record, adjoints.encoders[record.stage.index])
    return adjoints.to_architecture(algorithm), figures


def hypergradient(algorithm, data, mode):
    """Eq. 30 by ``mode``: ``exact``, ``finite_difference`` or ``first_order``."""
    if mode == 'first_order':
        return first_order(algorithm, data)
    return sweep(algorithm, data, PULLBACKS[mode])


def check_task(algorithm, record):
    """Raises SecondDerivativeError where the exact chain would lose a term of this task's loss."""
    task = algorithm.tasks[record.stage.task]
    head = algorithm.head(record.stage)
    gates = algorithm.gates.leaves()
    encoder = record.virtual_encoder.detach().requires_grad_()
    values = {**head.trained(), **algorithm.head_constants(head)}
    check_twice_differentiable(
        lambda: algorithm.task_loss(record.stage, gates, encoder, values, record.data)[0], task.template,
        f'tasks.{record.stage.task}.')
