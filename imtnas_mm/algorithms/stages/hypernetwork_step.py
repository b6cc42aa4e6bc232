"""The step of a stage in the hypernetwork's parameters V, from which it generates W~."""
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...chain import Map, StepRule, Variable
from .optimiser_rules import Clipping


@dataclass
class HypernetworkStep:
    """``V~ = V - eta grad_V L(g(V, A, k, m))`` and ``W~ = g(V~, A, k, m)`` of a stage (k, m).

    The gradient by V is ``(dg/dV)^T grad_W L``. So a stage's second pass is that of a step in W, by the same records;
    the rest is one :class:`Map` ``(V, b, A's importance, grad_W L) -> (V~, b', W~)``, where b is the momentum.

    Args:
        generate (callable): g, (V by name, importance) -> W, [D].
        rules (dict[str, StepRule]): of each parameter of V.
        clip (Clipping, optional): of the gradients by V.
        start (dict[str, Tensor]): V.
        buffers (dict[str, Tensor]): b of the parameters that have one.
        previous (HypernetworkStep, optional): the step whose V~ and b' are V and b, in place of ``start`` and
            ``buffers``, so that the chain goes through V.
    """
    generate: Callable[[Mapping[str, Tensor], Tensor], Tensor]
    rules: dict[str, StepRule]
    clip: Clipping | None = None
    start: dict[str, Tensor] = field(default_factory=dict)
    buffers: dict[str, Tensor] = field(default_factory=dict)
    previous: 'HypernetworkStep | None' = None

    def __post_init__(self) -> None:
        if self.previous is None:
            self.before = {name: Variable(value, constant=True) for name, value in self.start.items()}
            self.momentum = {name: Variable(value, constant=True) for name, value in self.buffers.items()}
        else:
            self.before, self.momentum = self.previous.after, self.previous.momentum_after
        self.after: dict[str, Variable] = {}
        self.momentum_after: dict[str, Variable] = {}
        self.by_parameter: dict[str, Tensor] = {}
        self.gradient = Variable()  # grad_W L
        self.encoder = Variable()  # W~

    @torch.no_grad()
    def take(self, importance: Tensor, gradient: Tensor) -> None:
        """Takes the step; then ``by_parameter`` has the gradients by V, before they are clipped.

        Args:
            importance (Tensor): [n_A].
            gradient (Tensor): grad_W L, [D], the mean over all processes.
        """
        self.gradient = Variable(gradient)
        values = [variable.value for variable in (*self.before.values(), *self.momentum.values())]
        inputs = [*values, importance, gradient]
        by_v = self.pulled_back(inputs)
        stepped, buffers, encoder = self.stepped(inputs, by_v)
        self.after = {name: Variable(value) for name, value in stepped.items()}
        self.momentum_after = {name: Variable(value) for name, value in buffers.items()}
        self.encoder = Variable(encoder)
        self.by_parameter = dict(zip(self.before, by_v, strict=True))

    def pulled_back(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """``(dg/dV)^T grad_W L``, with a graph where gradients are enabled."""
        differentiable = torch.is_grad_enabled()
        with torch.enable_grad():
            values = [value if value.requires_grad else value.detach().requires_grad_()
                      for value in inputs[:len(self.before)]]
            encoder = self.generate(dict(zip(self.before, values, strict=True)), inputs[-2])
            return list(torch.autograd.grad(encoder, values, inputs[-1], create_graph=differentiable, allow_unused=True,
                                            materialize_grads=True))

    def stepped(self, inputs: Sequence[Tensor], by_v: Sequence[Tensor]
                ) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
        """(V~ by name, b' by name, W~)."""
        values = dict(zip(self.before, inputs, strict=False))
        buffers = dict(zip(self.momentum, inputs[len(values):], strict=False))
        gradients = by_v if self.clip is None else self.clip(by_v)
        after, momentum = {}, {}
        for (name, value), gradient in zip(values.items(), gradients, strict=True):
            after[name], buffer = self.rules[name].step(value, gradient, buffers.get(name))
            if buffer is not None:
                momentum[name] = buffer
        return after, momentum, self.generate(after, inputs[-2])

    def record(self, importance: Variable, active: bool) -> Map:
        """The step as a record of the chain.

        Args:
            importance (Variable): [n_A].
            active (bool): False if grad_W L is zero around W, and so a constant.
        """
        def function(inputs: list[Tensor]) -> list[Tensor]:
            values = inputs[:len(self.before)]
            by_v = self.pulled_back(inputs) if active else [torch.zeros_like(value) for value in values]
            after, momentum, encoder = self.stepped(inputs, by_v)
            return [*after.values(), *momentum.values(), encoder]

        return Map(function, [*self.before.values(), *self.momentum.values(), importance, self.gradient],
                   [*self.after.values(), *self.momentum_after.values(), self.encoder])

    def generation(self, importance: Variable, encoder: Variable) -> Map:
        """``W = g(V, A, k, m)`` as a record, before the step."""
        return Map(lambda inputs: [self.generate(dict(zip(self.before, inputs, strict=False)), inputs[-1])],
                   [*self.before.values(), importance], [encoder])

    def generated(self, importance: Tensor) -> Tensor:
        """W, [D]."""
        return self.generate({name: variable.value for name, variable in self.before.items()}, importance)

    def following(self, previous: 'HypernetworkStep | None') -> 'HypernetworkStep':
        """This step, not yet taken, from the results of another one.

        Args:
            previous (HypernetworkStep, optional): ``None`` for the first step of a chain, whose V and b are then
                copied, since an optimiser changes them in place before the sweep.
        """
        if previous is not None:
            return HypernetworkStep(self.generate, self.rules, self.clip, previous=previous)
        start, buffers = ({name: value.clone() for name, value in values.items()}
                          for values in (self.start, self.buffers))
        return HypernetworkStep(self.generate, self.rules, self.clip, start, buffers)

    def again(self, previous: 'HypernetworkStep | None') -> 'HypernetworkStep':
        """This step before it was taken, where the step from which it starts was taken again."""
        return HypernetworkStep(self.generate, self.rules, self.clip, self.start, self.buffers,
                                None if self.previous is None else previous)
