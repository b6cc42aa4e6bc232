"""Tensors between the host and a device, many of them by one copy."""
from collections import defaultdict
from collections.abc import Mapping

import torch
from mmdet.structures.bbox import BaseBoxes
from mmengine.structures import BaseDataElement

LARGE = 2**16  # bytes: pinned tensors from here on are copied by themselves, without being gathered first


def pinned(shape, dtype, device):
    """An empty tensor of the host that ``device`` can copy from while the host goes on."""
    return torch.empty(shape, dtype=dtype, pin_memory=device.type == 'cuda')


def to_device(tensors, device):
    """Tensors of the host on a device.

    Those of a dtype are gathered in pinned memory, copied at once, and given
    back as views of the copy. Large ones that a dataloader has pinned are
    copied as they are: gathering would cost the host another copy. Copies are
    asynchronous; PyTorch keeps pinned memory until they are done.

    Args:
        tensors (sequence of Tensor): of any shapes and dtypes.
        device (torch.device or str): where to.

    Returns:
        list[Tensor]: in the same order; what lies on the device already is
        returned as it is.
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


def copied_together(tensors, device):
    """Tensors of one dtype as views of a single copy on the device."""
    sizes = [tensor.numel() for tensor in tensors]
    flat = pinned(sum(sizes), tensors[0].dtype, device)
    torch.cat([tensor.reshape(-1) for tensor in tensors], out=flat)
    parts = flat.to(device, non_blocking=True).split(sizes)
    return [part.view(tensor.shape) for tensor, part in zip(tensors, parts, strict=True)]


def tensors_of(data):
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


def with_tensors(data, tensors):
    """``data`` with the tensors that an iterator gives in place of its own; containers are new, as those of mmengine's
    ``cast_data``."""
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


def to_host(tensors):
    """Tensors of one type and device on the host, without a graph; those that are there come as they are.

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
