"""A batch's tensors moved to a device in one copy per dtype, which the host doesn't wait for."""
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


def _tensors(data):
    """The tensors in ``data``, in the order of :func:`_rebuilt`."""
    if isinstance(data, torch.Tensor):
        yield data
    elif isinstance(data, BaseBoxes):
        yield data.tensor
    elif isinstance(data, BaseDataElement | Mapping):
        for _, value in data.items():
            yield from _tensors(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _tensors(value)


def _rebuilt(data, tensors):
    """``data`` with the tensors that an iterator gives in place of its own; containers are new, as those of mmengine's
    ``cast_data``."""
    if isinstance(data, torch.Tensor):
        return next(tensors)
    if isinstance(data, BaseBoxes):
        return type(data)(next(tensors), clone=False)
    if isinstance(data, BaseDataElement):
        new = data.new()
        for key, value in data.items():
            new.set_data({key: _rebuilt(value, tensors)})
        return new
    if isinstance(data, Mapping):
        return {key: _rebuilt(value, tensors) for key, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, '_fields'):
        return type(data)(*(_rebuilt(value, tensors) for value in data))
    if isinstance(data, list | tuple):
        return type(data)(_rebuilt(value, tensors) for value in data)
    return data


def moved(data, device):
    """A batch with all its tensors on a device, by :func:`to_device`; on a CPU the batch itself.

    Args:
        data: of dicts, lists, tuples and mmengine's data elements, down to
            tensors and mmdet's boxes; anything else stays as it is.
        device (torch.device or str): where to.
    """
    if torch.device(device).type == 'cpu':
        return data
    return _rebuilt(data, iter(to_device(list(_tensors(data)), device)))


def stacked(images, device):
    """Images of one size and dtype as one tensor [N, C, H, W] on the device; others are moved and stay a list.

    Args:
        images (Tensor or sequence of Tensor): [N, C, H, W], or [C, H, W] each.
        device (torch.device or str): where to.
    """
    device = torch.device(device)
    if isinstance(images, torch.Tensor):
        return to_device([images], device)[0]
    if len({(image.shape, image.dtype, image.device) for image in images}) > 1:
        return to_device(images, device)
    first = images[0]
    if first.device.type != 'cpu':
        return torch.stack(list(images))
    whole = torch.stack(list(images), out=pinned((len(images), *first.shape), first.dtype, device))
    return whole.to(device, non_blocking=True)


def are_images(inputs):
    """Whether a batch's inputs are images: a tensor [N, C, H, W], or a list of tensors [C, H, W]."""
    if isinstance(inputs, torch.Tensor):
        return inputs.dim() == 4
    return isinstance(inputs, list | tuple) and len(inputs) > 0 and all(
        isinstance(image, torch.Tensor) and image.dim() == 3 for image in inputs)
