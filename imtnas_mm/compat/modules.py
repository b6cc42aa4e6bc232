"""Undocumented parts of PyTorch's modules, state dicts and autograd graphs."""
from collections import OrderedDict
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from typing import Any, Generic, TypeVar, overload

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from .private import TORCH, Private

NAMES = (
    Private(
        'torch.nn.modules.batchnorm._BatchNorm', '', 'the class of all batch normalisations, whatever their dimensions',
        seen=TORCH),
    Private(
        'torch.nn.modules.batchnorm._NormBase', '', 'the class of all normalisations that may keep running statistics',
        seen=TORCH),
    Private(
        'torch.nn.Conv2d._conv_forward', '', 'overridden: it computes the convolution for every padding mode',
        seen=TORCH),
    Private(
        'torch.nn.Module._modules', '', 'the entries of a ModuleDict or ModuleList, which ModulesByName and '
        'ModulesInOrder return with their type', seen=TORCH),
    Private(
        'torch.nn.Module._parameters', '', "a module's parameters under their attribute names; its state dict has "
        'others', seen=TORCH),
    Private(
        'torch.nn.Module.state_dict._metadata', '',
        "an attribute of a module's state dict: path of a module -> what its hooks put beside its tensors; "
        'torch and mmengine save it and give it to the hooks of loading',
        undefined='in state dicts of other programs, and in copies by dict()', seen=TORCH),
    Private(
        'torch.autograd.function.BackwardCFunction._forward_cls', '',
        'the Function of a node of a graph, which shows whether it has a second derivative', seen=TORCH),
)

BatchNorm = _BatchNorm
NormBase = _NormBase
M = TypeVar('M', bound=nn.Module)


class ModulesByName(nn.ModuleDict, Generic[M]):
    """An ``nn.ModuleDict`` whose modules are of one type."""
    _modules: dict[str, M]

    def __getitem__(self, key: str) -> M:
        return self._modules[key]

    def items(self) -> ItemsView[str, M]:
        return self._modules.items()

    def values(self) -> ValuesView[M]:
        return self._modules.values()


class ModulesInOrder(nn.ModuleList, Generic[M]):
    """An ``nn.ModuleList`` whose modules are of one type."""
    _modules: dict[str, M]

    @overload
    def __getitem__(self, idx: slice) -> 'ModulesInOrder[M]':
        ...

    @overload
    def __getitem__(self, idx: int) -> M:
        ...

    def __getitem__(self, idx: int | slice) -> 'M | ModulesInOrder[M]':
        modules = list(self._modules.values())
        return ModulesInOrder(modules[idx]) if isinstance(idx, slice) else modules[idx]

    def __iter__(self) -> Iterator[M]:
        return iter(self._modules.values())


def state_metadata(state: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
    """Path of a module -> what its state dict has beside its tensors; empty if the state dict has none."""
    return dict(getattr(state, '_metadata', {}))


def with_metadata(state: Mapping[str, Tensor], metadata: Mapping[str, Mapping[str, Any]]) -> dict[str, Tensor]:
    """A copy of a state dict with other :func:`state_metadata`."""
    copied: Any = OrderedDict(state)
    copied._metadata = OrderedDict(metadata)
    return copied
