"""Resizes raw images to one size; images of equal size are resized together."""
from collections import defaultdict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

TOGETHER = 32  # images that are converted to floats at the same time


def resized(images: Sequence[Tensor], size: int, swap: bool) -> Tensor:
    """Raw images as [N, 3, size, size] in [0, 1], each as if it were resized alone.

    Args:
        images (list[Tensor]): uint8 [3, H, W] each, on one device.
        size (int): of the result.
        swap (bool): whether to reverse the order of the colours.
    """
    alike = defaultdict(list)
    for i, image in enumerate(images):
        alike[image.shape, image.dtype].append(i)
    results: dict[int, Tensor] = {}
    for indices in alike.values():
        for start in range(0, len(indices), TOGETHER):
            chunk = indices[start:start + TOGETHER]
            batch = torch.stack([images[i] for i in chunk]).float() / 255
            batch = batch.flip(1) if swap else batch
            batch = F.interpolate(batch, (size, size), mode='bilinear', antialias=True)
            for i, image in zip(chunk, batch, strict=True):
                results[i] = image
    return torch.stack([results[i] for i in range(len(images))]).clamp(0, 1)
