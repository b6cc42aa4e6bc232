"""Moves the tensors of a batch to a device, in one asynchronous copy per dtype."""
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..transport import pinned, tensors_of, to_device, with_tensors


def moved(data: Any, device: torch.device | str) -> Any:
    """A batch with all its tensors on a device (:func:`to_device`); on a CPU the batch itself.

    Args:
        data: tensors and mmdet's boxes in dicts, lists, tuples and mmengine's
            data elements; other objects stay as they are.
        device (torch.device or str): the target.
    """
    if torch.device(device).type == 'cpu':
        return data
    return with_tensors(data, iter(to_device(list(tensors_of(data)), device)))


def stacked(images: Tensor | Sequence[Tensor], device: torch.device | str) -> Tensor | list[Tensor]:
    """Images of equal size and dtype as one tensor [N, C, H, W] on the device; other images stay a list.

    Args:
        images (Tensor or sequence of Tensor): [N, C, H, W], or [C, H, W] each.
        device (torch.device or str): the target.
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


def are_images(inputs: object) -> bool:
    """Whether a batch's inputs are images: a tensor [N, C, H, W], or a list of tensors [C, H, W]."""
    if isinstance(inputs, torch.Tensor):
        return inputs.dim() == 4
    return isinstance(inputs, list | tuple) and len(inputs) > 0 and all(
        isinstance(image, torch.Tensor) and image.dim() == 3 for image in inputs)
