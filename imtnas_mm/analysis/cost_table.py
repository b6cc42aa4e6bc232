"""The cost of each candidate of a search space in its derived network: parameters, multiply-accumulates or time."""
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..genotype import Genotype
from ..networks.build import build_network
from ..space_format import Candidate, CostFormat, format_of
from .complexity import count_macs, count_parameters

Shape = tuple[int, ...]  # (channels, height, width)
# (module, the shapes of its inputs in a pass of the network, one per call) -> its cost
Measure = Callable[[nn.Module, Sequence[Shape]], float]
IMAGE_SIZE = 224  # of an image by default, as of tools/derive.py


@dataclass(frozen=True)
class CostTable:
    """The cost of a network as ``fixed`` plus the costs of the chosen candidates.

    Args:
        fixed (float): the part that does not depend on the choices.
        candidates (dict[Candidate, float]): those with a module; others cost nothing.
    """
    fixed: float
    candidates: Mapping[Candidate, float]

    def sum_of(self, chosen: Iterable[Candidate]) -> float:
        """The sum of the costs of these candidates."""
        return sum(self.candidates.get(candidate, 0.) for candidate in chosen)

    def total(self, chosen: Iterable[Candidate]) -> float:
        """The cost of the network with these candidates."""
        return self.fixed + self.sum_of(chosen)


def cost_format(space: str) -> CostFormat:
    """How a space counts costs.

    Raises:
        ValueError: if it does not say so.
    """
    cost = format_of(space).cost
    if cost is None:
        raise ValueError(f'model.cost: the space {space} counts no costs: its SpaceFormat has no cost')
    return cost


def image_shape(size: int | Sequence[int]) -> Shape:
    """``model.cost.shape``, a side or (height, width) -> (channels, height, width).

    Raises:
        ValueError: if it is neither.
    """
    sides = [size] * 2 if isinstance(size, int) else size
    if not isinstance(sides, list | tuple) or len(sides) != 2 or any(
            isinstance(side, bool) or not isinstance(side, int) or side < 1 for side in sides):
        raise ValueError(f'model.cost.shape={size!r} must be the side of an image, or its (height, width)')
    return 3, *sides


def shown_cost(quantity: str, value: float) -> str:
    """A cost for logs: ``301,056`` MACs or parameters, ``3.210 ms`` of latency."""
    return f'{value:,.3f} ms' if quantity == 'Latency' else f'{value:,.0f}'


def parameters(module: nn.Module, shapes: Sequence[Shape]) -> float:
    """The number of parameters of a module, a :data:`Measure`."""
    return count_parameters(module)


class Macs:
    """The multiply-accumulates of a module, a :data:`Measure`; modules that are written alike count once."""

    def __init__(self) -> None:
        self._counted: dict[tuple[str, Shape], int] = {}

    def __call__(self, module: nn.Module, shapes: Sequence[Shape]) -> float:
        total = 0
        for shape in shapes:
            key = repr(module), shape
            if key not in self._counted:
                self._counted[key] = count_macs(module, shape)
            total += self._counted[key]
        return total


@torch.no_grad()
def input_shapes(network: nn.Module, paths: Iterable[str], shape: Shape, device: str) -> dict[str, list[Shape]]:
    """The shapes of the inputs of some modules in a pass of an image, one per call; none for a module not called."""
    shapes: dict[str, list[Shape]] = {path: [] for path in paths}

    def note(path: str, _: nn.Module, inputs: Sequence[Tensor]) -> None:
        shapes[path].append(tuple(inputs[0].shape[1:]))

    handles = [network.get_submodule(path).register_forward_pre_hook(partial(note, path)) for path in shapes]
    try:
        network(torch.zeros(1, *shape, device=device))
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def cost_table(genotype: Genotype, options: Mapping[str, Any], shape: Shape, measure: Measure, device: str = 'meta'
               ) -> CostTable:
    """The costs of all candidates in the derived networks of a space.

    The fixed part is the cost of the network of ``genotype`` without its candidates.

    Args:
        genotype (Genotype): any architecture of the space.
        options (dict): of the derived network.
        shape (tuple[int]): (channels, height, width) of an image.
        measure (Measure): of a module.
        device (str): of the networks; ``meta`` computes shapes alone.

    Raises:
        ValueError: if the space counts no costs.
    """
    cost = cost_format(genotype.space)
    candidates: dict[Candidate, float] = {}
    fixed = 0.
    for i, architecture in enumerate([genotype.architecture, *cost.cover(genotype.architecture)]):
        with torch.device(device):
            network = build_network(replace(genotype, architecture=architecture, importance=None), **options).eval()
        by_candidate: dict[Candidate, list[str]] = {}
        for path, candidate in cost.modules(network).items():
            by_candidate.setdefault(candidate, []).append(path)
        new = {candidate: paths for candidate, paths in by_candidate.items() if candidate not in candidates}
        if not new:
            continue
        shapes = input_shapes(network, [path for paths in new.values() for path in paths], shape, device)
        for candidate, paths in new.items():
            candidates[candidate] = sum(measure(network.get_submodule(path), shapes[path]) for path in paths)
        if i == 0:
            fixed = measure(network, [shape]) - sum(candidates.values())
    alike = {other: candidates[known] for other, known in cost.alike.items() if known in candidates}
    return CostTable(fixed, {**candidates, **alike})
