"""Augmentation sets: C random views of each example, made in one batch."""
import kornia.augmentation
from torch import nn

# "random crop (He et al., 2019), flip, rotation, and color jitter" (paper Sec. 4)
DEFAULT_AUGMENTATIONS = (
    dict(type='RandomResizedCrop', scale=(.2, 1.), ratio=(3 / 4, 4 / 3)),
    dict(type='RandomHorizontalFlip'),
    dict(type='RandomRotation', degrees=15.),
    dict(type='ColorJiggle', brightness=.4, contrast=.4, saturation=.4, hue=.1),
)


def build_augmentations(configs, image_size):
    """A chain of kornia augmentations by class name; every image of a batch draws its own parameters.

    Raises:
        ValueError: names the entry whose type kornia doesn't have.
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
        steps.append(cls(**options))
    chain = nn.Sequential(*steps)
    for module in chain.modules():  # settings, not state: a checkpoint is not tied to them
        module._non_persistent_buffers_set.update(module._buffers)
    return chain


def augmentation_sets(images, num_augmentations, augmentations):
    """C augmentations of each image.

    Args:
        images (Tensor): [S, 3, H, W] RGB in [0, 1].

    Returns:
        Tensor: [S * C, 3, H', W'], set by set.
    """
    return augmentations(images.repeat_interleave(num_augmentations, 0))
