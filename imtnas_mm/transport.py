"""Moves many tensors between the host and a device in one copy."""
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from mmdet.structures.bbox import BaseBoxes
from mmengine.structures import BaseDataElement
from torch import Tensor

LARGE = 2**16  # bytes; pinned tensors of at least this size are copied separately
_indices: dict[tuple[tuple[int, ...], torch.device], Tensor] = {}


def pinned(shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """An empty tensor on the host, from which ``device`` can copy while the host goes on."""
    return torch.empty(shape, dtype=dtype, pin_memory=device.type == 'cuda')


def to_device(tensors: Sequence[Tensor], device: torch.device | str) -> list[Tensor]:
    """Moves tensors from the host to a device.

    Tensors of the same dtype are gathered in pinned memory and copied together;
    the results are views of the copy. Large tensors that a dataloader has
    pinned are copied separately, to save the host a copy. Copies are
    asynchronous; PyTorch keeps pinned memory until they are done.

    Args:
        tensors (sequence of Tensor): of any shapes and dtypes.
        device (torch.device or str): the target.

    Returns:
        list[Tensor]: in the same order; tensors on the device already are
        returned themselves.
    """
    device = torch.device(device)
    moved, groups = list(tensors), defaultdict(list)
    if device.type == 'cpu':
        return [tensor.to(device) for tensor in moved]
    for i, tensor in enumerate(moved):
        alone = tensor.device.type != 'cpu' or tensor.layout is not torch.strided or tensor.requires_grad
        if alone or tensor.numel() * tensor.element_size() >= LARGE and tensor.is_pinned():
            moved[i] = tensor.to(device, non_blocking=True)
        else:
            groups[tensor.dtype].append(i)
    for indices in groups.values():
        for i, copy in zip(indices, copied_together([moved[i] for i in indices], device), strict=True):
            moved[i] = copy
    return moved


def copied_together(tensors: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """Tensors of one dtype as views of a single copy on the device."""
    sizes = [tensor.numel() for tensor in tensors]
    flat = pinned((sum(sizes), ), tensors[0].dtype, device)
    torch.cat([tensor.reshape(-1) for tensor in tensors], out=flat)
    parts = flat.to(device, non_blocking=True).split(sizes)
    return [part.view(tensor.shape) for tensor, part in zip(tensors, parts, strict=True)]


def indices_on(values: tuple[int, ...], device: torch.device) -> Tensor:
    """Indices [n] of int64 on a device, moved there once: a list as an index is copied in each use, and the copy waits.
    """
    if (values, device) in _indices:
        return _indices[values, device]
    indices, = to_device([torch.tensor(values)], device)
    if type(indices) is Tensor:  # a fake tensor has no numbers, and is for its own mode alone
        _indices[values, device] = indices
    return indices


def tensors_of(data: object) -> Iterator[Tensor]:
    """The tensors in ``data``, in the order of :func:`with_tensors`."""
    if isinstance(data, torch.Tensor):
        yield data
    elif isinstance(data, BaseBoxes):
        yield data.tensor
    elif isinstance(data, BaseDataElement | Mapping):
        for _, value in data.items():
            yield from tensors_of(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from tensors_of(value)


def with_tensors(data: object, tensors: Iterator[Tensor]) -> Any:
    """``data`` with its tensors replaced by those of an iterator; containers are new, as in mmengine's ``cast_data``.
    """
    if isinstance(data, torch.Tensor):
        return next(tensors)
    if isinstance(data, BaseBoxes):
        return type(data)(next(tensors), clone=False)
    if isinstance(data, BaseDataElement):
        new = data.new()
        for key, value in data.items():
            new.set_data({key: with_tensors(value, tensors)})
        return new
    if isinstance(data, Mapping):
        return {key: with_tensors(value, tensors) for key, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, '_fields'):
        return type(data)(*(with_tensors(value, tensors) for value in data))
    if isinstance(data, list | tuple):
        return type(data)(with_tensors(value, tensors) for value in data)
    return data


def to_host(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies tensors of one dtype and device to the host, without a graph; tensors on the host are not copied.

    Args:
        tensors (dict[str, Tensor]): by name.

    Returns:
        dict[str, Tensor]
    """
    values = [tensor.detach() for tensor in tensors.values()]
    if values and values[0].device.type != 'cpu':
        parts = torch.cat([value.reshape(-1) for value in values]).cpu().split([value.numel() for value in values])
        values = [part.view(value.shape) for part, value in zip(parts, values, strict=True)]
    return dict(zip(tensors, values, strict=True))
