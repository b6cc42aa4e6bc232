"""Crop, flip, rotation and colour jitter of kornia in few operations, for which the host never waits.

A kind is a function of kornia's module, the shape [N, 3, H, W] of the images and their dtype. It lets kornia draw its
random numbers from the host's generator, in kornia's order, and returns :class:`Drawn`. The numbers of an image are
computed on the host and stored as columns, one row per image: the columns of a whole chain reach a GPU in one copy.
Flips and rotations equal kornia's to the bit; crops and colours differ in the rounding of float32 (1e-7 and 2e-6).
"""
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import kornia.augmentation
import torch
import torch.nn.functional as F
from kornia.geometry.conversions import convert_affinematrix_to_homography, normalize_homography
from torch import Tensor

from ..transport import to_device
from .color import adjust_hue, adjust_saturation

NEUTRAL = dict(brightness_factor=1., contrast_factor=1., saturation_factor=1., hue_factor=0.)  # in ColorJiggle's order


@dataclass(frozen=True)
class Drawn:
    """One augmentation with its random numbers: ``apply(images, columns)`` gives images of ``shape``."""
    columns: Tensor  # [N, any], on the host, in the images' dtype
    apply: Callable[[Tensor, Tensor], Tensor]
    shape: tuple[int, ...]


Kind = Callable[[Any, tuple[int, ...], torch.dtype], Drawn]  # (kornia's module, shape and dtype of the images) -> Drawn
Adjust = Callable[[Tensor, Tensor], Tensor]


def selected(params: Mapping[str, Tensor]) -> Tensor:
    """[N] bool: the images that the augmentation is applied to."""
    return params['batch_prob'] > .5


# --- crop ---

def resize_positions(start: Tensor, length: Tensor, count: int, align_corners: bool,
                     dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Positions of F.interpolate's ``count`` bilinear samples of a segment: two indices and the weight of the second.

    Args:
        start, length (Tensor): [N] int, of the segment in pixels.

    Returns:
        Three tensors [N, count] of ``dtype``.
    """
    start, length, places = start[:, None].to(dtype), length[:, None].to(dtype), torch.arange(count, dtype=dtype)
    if align_corners:
        positions = places * ((length - 1) / (count - 1) if count > 1 else 0 * length)
    else:
        positions = ((places + .5) * (length / count) - .5).clamp_min(0)
    positions = torch.where(length == count, places, positions)
    low = torch.minimum(positions.floor(), length - 1)
    return start + low, start + torch.minimum(low + 1, length - 1), (positions - low).clamp(0, 1)


def resized_crop(step: Any, shape: tuple[int, ...], dtype: torch.dtype) -> Drawn:
    """RandomResizedCrop: a box per image, resized bilinearly; as its ``slice`` mode, without a slice per image."""
    boxes = step.forward_parameters(shape)['src'].long()  # corners clockwise from the top left, [N, 4, 2] of (x, y)
    (left, top), (right, bottom) = boxes[:, 0].unbind(1), boxes[:, 2].unbind(1)
    height, width = step.flags['size']
    align_corners = step.flags['align_corners']
    first_x, second_x, weight_x = resize_positions(left, right - left + 1, width, align_corners, dtype)
    first_y, second_y, weight_y = resize_positions(top, bottom - top + 1, height, align_corners, dtype)
    columns = torch.cat([first_x, second_x, first_y, second_y, weight_x, weight_y], 1)
    return Drawn(columns, partial(sample_rows_and_columns, size=(height, width)), (*shape[:2], height, width))


def sample_rows_and_columns(images: Tensor, columns: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear interpolation, first along x, then along y: [N, C, H, W] -> [N, C, *size]."""
    height, width = size
    indices = columns[:, :2 * (width + height)].long()
    first_x, second_x, first_y, second_y = indices.split([width, width, height, height], 1)
    weight_x, weight_y = columns[:, 2 * (width + height):].split([width, height], 1)

    def along_x(index: Tensor) -> Tensor:
        return images.gather(3, index[:, None, None].expand(*images.shape[:3], width))

    rows = torch.lerp(along_x(first_x), along_x(second_x), weight_x[:, None, None])

    def along_y(index: Tensor) -> Tensor:
        return rows.gather(2, index[:, None, :, None].expand(*images.shape[:2], height, width))

    return torch.lerp(along_y(first_y), along_y(second_y), weight_y[:, None, :, None])


# --- flip ---

def horizontal_flip(step: Any, shape: tuple[int, ...], dtype: torch.dtype) -> Drawn:
    """RandomHorizontalFlip: for each column of the result, the index of the image's column."""
    flipped = selected(step.forward_parameters(shape))
    places = torch.arange(shape[3])
    columns = torch.where(flipped[:, None], places.flip(0), places)
    return Drawn(columns.to(dtype), take_columns, shape)


def take_columns(images: Tensor, columns: Tensor) -> Tensor:
    return images.gather(3, columns.long()[:, None, None].expand(images.shape))


# --- rotation ---

@lru_cache(maxsize=32)
def sampling_axes(height: int, width: int, align_corners: bool, dtype: torch.dtype,
                  device: torch.device) -> tuple[Tensor, Tensor]:
    """The pixels' normalised coordinates for grid_sample: x [1, 1, W, 1] and y [1, H, 1, 1].

    They are made on the host, so that all devices have the same bits.
    """
    axes = []
    with torch.inference_mode(False):
        for count in (width, height):
            most = 1 if align_corners else 1 - 1 / count
            axes.append(torch.linspace(-most, most, count, dtype=dtype) if count > 1 else torch.zeros(1, dtype=dtype))
        x, y = to_device(axes, device)
        return x[None, None, :, None], y[None, :, None, None]


def inverse_3x3(matrices: Tensor) -> Tensor:
    """The inverse of each matrix with columns a, b, c: rows b x c, c x a and a x b, divided by a . (b x c)."""
    a, b, c = matrices.unbind(-1)
    rows = torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], -2)
    return rows / (a * rows[:, 0]).sum(-1)[:, None, None]


def rotation(step: Any, shape: tuple[int, ...], dtype: torch.dtype) -> Drawn:
    """RandomRotation: the first two rows of the matrix from the output's to the input's normalised coordinates."""
    params = step.forward_parameters(shape)
    of_shape = torch.empty((), dtype=dtype).expand(shape)  # kornia reads the shape and dtype alone
    matrices = step.generate_transformation_matrix(of_shape, params, step.flags)
    align_corners = step.flags['align_corners']
    size = shape[2], shape[3]
    homographies = normalize_homography(
        convert_affinematrix_to_homography(matrices[:, :2]), size, size, align_corners)
    theta = inverse_3x3(homographies)[:, :2].transpose(1, 2).flatten(1)  # xx, yx, xy, yy, x, y
    columns, options = [theta], dict(mode=step.flags['resample'].name.lower(), align_corners=align_corners)
    everywhere = step.p == 1
    if not everywhere:
        columns.append(selected(params)[:, None].to(dtype))
    return Drawn(torch.cat(columns, 1), partial(warp, everywhere=everywhere, **options), shape)


def warp(images: Tensor, columns: Tensor, mode: str, align_corners: bool, everywhere: bool) -> Tensor:
    """Samples each image on its affine grid, with zeros outside; images that aren't selected keep their bits."""
    axes = sampling_axes(*images.shape[2:], align_corners, images.dtype, images.device)
    of_x, of_y, offset = columns[:, None, None, :6].split(2, 3)
    grid = (of_x * axes[0] + of_y * axes[1]).add_(offset)
    warped = F.grid_sample(images, grid, mode=mode, padding_mode='zeros', align_corners=align_corners)
    return warped if everywhere else torch.where(columns[:, 6, None, None, None] > .5, warped, images)


# --- colour ---

def color_jiggle(step: Any, shape: tuple[int, ...], dtype: torch.dtype) -> Drawn:
    """ColorJiggle: brightness, contrast, saturation and hue in an order drawn once per batch."""
    params = step.forward_parameters(shape)
    columns, adjustments = [], []
    for i in params['order'].tolist():
        name = list(NEUTRAL)[i]
        factors = params[name][:, None]
        if (factors.numpy() == NEUTRAL[name]).all():
            continue
        if name == 'brightness_factor':
            factors = factors - 1
        elif name == 'hue_factor':
            turns = (factors * 2 * torch.pi).to(dtype) / (2 * torch.pi)  # rounded as kornia does
            factors = 6 * turns + torch.tensor([5, 3, 1])
        columns.append(factors.to(dtype))
        adjustments.append(ADJUSTMENTS[name])
    everywhere = step.p == 1
    if not everywhere:
        columns.append(selected(params)[:, None].to(dtype))
    columns = torch.cat([torch.empty(shape[0], 0, dtype=dtype), *columns], 1)
    return Drawn(columns, partial(adjust_color, adjustments=adjustments, everywhere=everywhere), shape)


def adjust_color(images: Tensor, columns: Tensor, adjustments: Sequence[tuple[Adjust, int]],
                 everywhere: bool) -> Tensor:
    """Clamped to [0, 1] before and after; images that aren't selected keep their bits."""
    adjusted, start = images.clamp(0, 1), 0
    for adjust, width in adjustments:
        adjusted = adjust(adjusted, columns[:, start:start + width, None, None])
        start += width
    adjusted = adjusted.clamp_(0, 1)
    return adjusted if everywhere else torch.where(columns[:, start, None, None, None] > .5, adjusted, images)


def adjust_brightness(images: Tensor, factors: Tensor) -> Tensor:
    return (images + factors).clamp_(0, 1)


def adjust_contrast(images: Tensor, factors: Tensor) -> Tensor:
    return (images * factors).clamp_(0, 1)


ADJUSTMENTS = dict(  # function, number of its columns
    brightness_factor=(adjust_brightness, 1),
    contrast_factor=(adjust_contrast, 1),
    saturation_factor=(adjust_saturation, 1),
    hue_factor=(adjust_hue, 3))

KINDS = {
    kornia.augmentation.RandomResizedCrop: resized_crop,
    kornia.augmentation.RandomHorizontalFlip: horizontal_flip,
    kornia.augmentation.RandomRotation: rotation,
    kornia.augmentation.ColorJiggle: color_jiggle,
}


def kind_of(step: Any, options: Mapping[str, Any]) -> Kind | None:
    """The kind of a kornia module with ``options``; ``None`` if kornia has to apply it."""
    if type(step) is kornia.augmentation.RandomResizedCrop and (
            step.p_batch != 1 or step.flags['cropping_mode'] != 'slice' or step.flags['resample'].name != 'BILINEAR'):
        return None
    if options.get('order') is not None:  # of a ColorJiggle
        return None
    return KINDS.get(type(step))
