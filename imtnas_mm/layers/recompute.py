"""Saves memory: blocks that keep only their inputs, and compute the rest again for each derivative.

With ``y = f(x)``, ``gx = (df/dx)^T gy`` and ``u`` the adjoint of gx, a second
derivative needs the derivatives of ``<u, gx>`` by gy and x. Each of the two
derivatives runs f again; between them only x and gy are kept. PyTorch's checkpoint
can't do this: the graph of a first derivative that is to be differentiated holds
all recomputed values.
"""
import contextlib
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.func import functional_call


class _Surroundings:
    """The global state that a function depends on: autocast, and random numbers if it draws any."""

    def __init__(self, device, draws):
        kind = device.type
        self.autocast: dict[str, Any] = dict(
            device_type=kind, enabled=torch.is_autocast_enabled(kind), dtype=torch.get_autocast_dtype(kind),
            cache_enabled=False)
        self.devices = [device] if kind == 'cuda' else []
        self.states = [torch.get_rng_state(), *map(torch.cuda.get_rng_state, self.devices)] if draws else None

    @contextlib.contextmanager
    def again(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(torch.autocast(**self.autocast))
            if self.states:
                stack.enter_context(torch.random.fork_rng(self.devices))
                torch.set_rng_state(self.states[0])
                for device, state in zip(self.devices, self.states[1:], strict=True):
                    torch.cuda.set_rng_state(state, device)
            yield


def _leaves(tensors, wanted):
    return [tensor.detach().requires_grad_(is_wanted) for tensor, is_wanted in zip(tensors, wanted, strict=True)]


class _Recomputed(torch.autograd.Function):

    @staticmethod
    def forward(ctx, function, surroundings, *inputs):
        ctx.function, ctx.surroundings = function, surroundings
        ctx.save_for_backward(*inputs)
        return function(*inputs)

    @staticmethod
    def backward(ctx, grad):
        wanted = ctx.needs_input_grad[2:]
        gradients = iter(_RecomputedGradient.apply(ctx.function, ctx.surroundings, wanted, grad, *ctx.saved_tensors))
        return None, None, *(next(gradients) if is_wanted else None for is_wanted in wanted)


class _RecomputedGradient(torch.autograd.Function):

    @staticmethod
    def forward(ctx, function, surroundings, wanted, grad, *inputs):
        ctx.function, ctx.surroundings, ctx.wanted = function, surroundings, wanted
        ctx.save_for_backward(grad, *inputs)
        leaves = _leaves(inputs, wanted)
        with torch.enable_grad(), surroundings.again():
            y = function(*leaves)
        return torch.autograd.grad(y, _selected(leaves, wanted), grad, allow_unused=True, materialize_grads=True)

    @staticmethod
    @once_differentiable
    def backward(ctx, *adjoints):
        grad, *inputs = ctx.saved_tensors
        leaves = _leaves(inputs, ctx.wanted)
        grad = grad.detach().requires_grad_()
        with torch.enable_grad(), ctx.surroundings.again():
            y = ctx.function(*leaves)
        targets = _selected(leaves, ctx.wanted)
        with torch.enable_grad():
            first = torch.autograd.grad(y, targets, grad, create_graph=True, allow_unused=True, materialize_grads=True)
        pairs = [pair for pair in zip(first, adjoints, strict=True) if pair[0].requires_grad]
        for_grad, *for_inputs = torch.autograd.grad([g for g, _ in pairs], [grad, *targets], [u for _, u in pairs],
                                                    allow_unused=True, materialize_grads=True)
        for_inputs = iter(for_inputs)
        return None, None, None, for_grad, *(next(for_inputs) if is_wanted else None for is_wanted in ctx.wanted)


def _selected(items, wanted):
    return [item for item, is_wanted in zip(items, wanted, strict=True) if is_wanted]


def recomputed(function, *inputs, draws=False):
    """``function(*inputs)``, computed again for a first derivative, and once more for a second derivative.

    A third derivative raises.

    Args:
        function: Tensors -> Tensor; nothing else that it depends on may change.
        draws (bool): whether it draws from torch's global random numbers.
    """
    if not torch.is_grad_enabled() or not any(x.requires_grad for x in inputs):
        return function(*inputs)
    return _Recomputed.apply(function, _Surroundings(inputs[0].device, draws), *inputs)


def recomputed_module(module, function, *inputs, draws=False):
    """:func:`recomputed` of ``function(module, *inputs)`` with the module's current parameters.

    ``functional_call`` may have put tensors in their place. Parameters on the
    meta device are left out: no sampled path uses them.
    """
    current = {name: parameter for name, parameter in module.named_parameters() if not parameter.is_meta}
    names, parameters = list(current), list(current.values())

    def call(*tensors):
        weights = {f'module.{name}': tensor for name, tensor in zip(names, tensors[:len(names)], strict=True)}
        return functional_call(_Call(module, function), weights, tensors[len(names):])

    return recomputed(call, *parameters, *inputs, draws=draws)


class _Call(torch.nn.Module):

    def __init__(self, module, function):
        super().__init__()
        self.module, self.function = module, function

    def forward(self, *inputs):
        return self.function(self.module, *inputs)
