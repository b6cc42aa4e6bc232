"""Makes augmentation sets, C random views of each example, in one batch with kornia."""
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import kornia.augmentation
import torch
from mmengine.logging import print_log
from torch import Tensor

from ..transport import to_device
from .augmentation_kinds import Kind, kind_of
from .base import without_autocast

# "random crop (He et al., 2019), flip, rotation, and color jitter" (paper Sec. 4)
DEFAULT_AUGMENTATIONS = (
    dict(type='RandomResizedCrop', scale=(.2, 1.), ratio=(3 / 4, 4 / 3)),
    dict(type='RandomHorizontalFlip'),
    dict(type='RandomRotation', degrees=15.),
    dict(type='ColorJiggle', brightness=.4, contrast=.4, saturation=.4, hue=.1),
)
DTYPES = (torch.float32, torch.float64)
Step = tuple[Any, Kind | None]  # kornia's module and its kind; None if kornia applies it


class Augmentations:
    """A chain of kornia augmentations; every image of a batch draws its own parameters.

    All random numbers come from the host's generator, even for images on a GPU:
    the same seed gives the same views on a GPU and a CPU, up to rounding. The
    kinds of ``augmentation_kinds`` are applied by operations that never wait
    for a GPU; a sequence of them needs one copy to it. kornia applies all other
    augmentations. Autocast is off, so that views have full precision.

    It is no ``nn.Module``: augmentations are settings, which checkpoints don't
    hold and ``Module.to`` doesn't move.

    Args:
        steps (list): pairs of kornia's module and its kind; ``None`` if kornia
            applies it.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple(step for step, _ in steps)
        self.groups = [(fast, list(group)) for fast, group in groupby(steps, lambda pair: pair[1] is not None)]
        self.prepared: tuple[torch.device, torch.dtype] | None = None

    def prepare(self, device: torch.device, dtype: torch.dtype) -> None:
        """Makes modules draw on the host in this dtype; modules that kornia applies get their constants on ``device``.
        """
        if self.prepared == (device, dtype):
            return
        for fast, group in self.groups:
            for step, _ in group:
                if not fast:
                    step.to(device, dtype)
                for module in step.modules():
                    if hasattr(module, 'set_rng_device_and_dtype'):
                        module.set_rng_device_and_dtype(torch.device('cpu'), dtype)
        self.prepared = device, dtype

    def __call__(self, images: Tensor) -> Tensor:
        """[N, 3, H, W] RGB in [0, 1] -> [N, 3, H', W'].

        Raises:
            TypeError: for images that are neither float32 nor float64.
        """
        if images.dtype not in DTYPES:
            raise TypeError(f'images of {images.dtype} cannot be augmented: convert them to float32 or float64')
        self.prepare(images.device, images.dtype)
        with without_autocast(images.device.type):
            for fast, group in self.groups:
                if fast:
                    images = apply_together([(step, kind) for step, kind in group if kind is not None], images)
                else:
                    for step, _ in group:
                        images = step(images)
        return images


def apply_together(steps: Sequence[tuple[Any, Kind]], images: Tensor) -> Tensor:
    """Draws random numbers for all steps, moves them to the images' device in one copy, and applies the steps."""
    shape, drawn = tuple(images.shape), []
    for step, kind in steps:
        drawn.append(kind(step, shape, images.dtype))
        shape = drawn[-1].shape
    columns, = to_device([torch.cat([draw.columns for draw in drawn], 1)], images.device)
    for draw, part in zip(drawn, columns.split([draw.columns.shape[1] for draw in drawn], 1), strict=True):
        images = draw.apply(images, part)
    return images


def build_augmentations(configs: Iterable[Mapping[str, Any]], image_size: int) -> Augmentations:
    """:class:`Augmentations` from configs whose ``type`` is a class of kornia.augmentation.

    Raises:
        ValueError: names an entry of another type.
    """
    steps = []
    for i, config in enumerate(configs):
        options = dict(config)
        name = options.pop('type')
        cls = getattr(kornia.augmentation, name, None)
        if cls is None:
            raise ValueError(f'transfer.augmentations[{i}]: type={name!r} is not a class of kornia.augmentation')
        if name == 'RandomResizedCrop':
            options.setdefault('size', (image_size, image_size))
        step = cls(**options)
        kind = kind_of(step, options)
        if kind is None:
            print_log(
                f'transfer.augmentations[{i}] ({step}) is applied by kornia itself: on a GPU this takes many small '
                'operations and may make the host wait for the GPU. '
                'Faster are the augmentations of the default chain, whatever their ranges.',
                logger='current',
                level=30)  # logging.WARNING
        steps.append((step, kind))
    return Augmentations(steps)


def augmentation_sets(images: Tensor, num_augmentations: int, augmentations: Augmentations) -> Tensor:
    """C augmentations of each image.

    Args:
        images (Tensor): [S, 3, H, W] RGB in [0, 1].

    Returns:
        Tensor: [S * C, 3, H', W'], one set after the other.
    """
    return augmentations(images.repeat_interleave(num_augmentations, 0))
