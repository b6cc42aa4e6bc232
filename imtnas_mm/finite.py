"""Finds NaN and infinite losses, gradients and weights by one reduction, and names them in an error."""
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from .compat.tensors import foreach_norm

Quantities = Mapping[str, Sequence[Tensor]]  # by their names in messages


class NonFiniteError(FloatingPointError):
    """A loss, gradient or weight is NaN or infinite; the message names it and the iteration."""


def norms_of(tensors: Iterable[Tensor]) -> list[Tensor]:
    """The Euclidean norms of floating-point tensors, one vector per device; not finite where a tensor isn't.

    A GPU computes all norms by few launches, and the host doesn't wait.
    """
    by_device: dict[torch.device, list[Tensor]] = {}
    for tensor in tensors:
        if tensor.numel():
            by_device.setdefault(tensor.device, []).append(tensor.detach())
    vectors = []
    for group in by_device.values():
        norms = foreach_norm(group)  # the only reduction that is fast on all devices
        vectors.append(torch.stack([norm.to(norms[0].dtype) for norm in norms]))
    return vectors


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether all floating-point tensors are finite; the host waits for a GPU once."""
    if all(bool(norms.isfinite().all()) for norms in norms_of(tensors)):
        return True
    return all(bool(tensor.isfinite().all()) for tensor in tensors)  # a norm of finite numbers can overflow


def check_finite(where: str, quantities: Quantities) -> None:
    """Raises :class:`NonFiniteError` unless all of ``quantities`` are finite.

    Args:
        where (str): iteration and stage, for the message.
        quantities (dict[str, list[Tensor]]): by their names in the message.
    """
    if all_finite([tensor for tensors in quantities.values() for tensor in tensors]):
        return
    for name, tensors in quantities.items():
        numbers = torch.cat([tensor.detach().flatten() for tensor in tensors]) if tensors else torch.empty(0)
        bad = numbers[~numbers.isfinite()]
        if len(bad):
            share = '' if len(numbers) == 1 else f' in {len(bad)} of {len(numbers)} numbers'
            raise NonFiniteError(f'{where}: {name} is {bad[0].item()}{share}')


def check_state(where: str, model: nn.Module, optim_wrapper: Any) -> None:
    """Raises :class:`NonFiniteError` unless all parameters and optimiser states are finite."""
    plain: Any = model.module if is_model_wrapper(model) else model
    wrappers = dict(optim_wrapper.items()) if hasattr(optim_wrapper, 'items') else {'': optim_wrapper}
    kept = {
        f'the state of the optimiser {name}'.rstrip(): [
            value for state in wrapper.optimizer.state.values() for value in state.values()
            if hasattr(value, 'is_floating_point') and value.is_floating_point()]
        for name, wrapper in wrappers.items()
    }
    check_finite(where, {**{name: [parameter] for name, parameter in plain.named_parameters()}, **kept})


class FiniteLedger:
    """Quantities that must be finite, checked when the host reads values anyway.

    If each was checked by itself, the host would wait for a GPU at every stage
    of an iteration. The ledger keeps the tensors; they must not change before
    :meth:`read`.
    """

    def __init__(self) -> None:
        self.entries: list[tuple[str, Quantities]] = []

    def note(self, where: str, quantities: Quantities) -> None:
        """Keeps ``quantities`` for :meth:`read`; arguments as of :func:`check_finite`."""
        self.entries.append((where, quantities))

    def clear(self) -> None:
        self.entries = []

    def read(self, vectors: Sequence[Tensor] = ()) -> list[list[float]]:
        """The numbers of ``vectors`` (Tensors [n]), read together with the norms of all noted quantities.

        Returns:
            list[list[float]]

        Raises:
            NonFiniteError: names the first noted quantity that isn't finite.
        """
        entries, self.entries = self.entries, []
        norms = norms_of([t for _, quantities in entries for tensors in quantities.values() for t in tensors])
        read = _read([*norms, *vectors])
        if not all(math.isfinite(value) for values in read[:len(norms)] for value in values):
            for where, quantities in entries:
                check_finite(where, quantities)
        return read[len(norms):]


def _read(vectors: Sequence[Tensor]) -> list[list[float]]:
    """list[list[float]]: the numbers of vectors on a device and on the host, by one copy."""
    if not vectors:
        return []
    device = next((vector.device for vector in vectors if vector.device.type != 'cpu'), vectors[0].device)
    numbers = iter(torch.cat([vector.detach().to(device, torch.float64) for vector in vectors]).tolist())
    return [list(itertools.islice(numbers, len(vector))) for vector in vectors]


def read_scalars(figures: Mapping[str, Any]) -> dict[str, Any]:
    """``figures`` with Python numbers instead of one-element Tensors; all are read at once.

    Args:
        figures (dict[str, Tensor | float]): by name.
    """
    names = [name for name, value in figures.items() if isinstance(value, torch.Tensor) and value.numel() == 1]
    values = _read([figures[name].reshape(1) for name in names])
    return {**figures, **{name: value for name, (value, ) in zip(names, values, strict=True)}}
