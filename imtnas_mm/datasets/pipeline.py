"""Pipelines whose errors name the image file, and which refuse wrongly read images."""
import copy
import os
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import BaseDataset, Compose, ConcatDataset

from ..files.inputs import is_remote
from .checks import DataError
from .interface import BuiltDataset
from .seeded import SeededDataset

_TIFF = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
_PNG = b'\x89PNG\r\n\x1a\n'
_PNG_DEPTH = 24  # the byte with the bits per channel


class NamedPipeline(Compose):
    """mmengine's Compose, but an error of a transform becomes a DataError that names the image file and the transform.

    It also checks the image from LoadImageFromFile: OpenCV and pillow silently
    read some files to wrong values (:func:`check_depth`), and boxes only fit
    an image of the size in the annotation file.

    Args:
        transforms: as mmengine's.
        name (str): of the dataset, for errors on images without files.
    """

    def __init__(self, transforms: Sequence[Any] | None, name: str = 'dataset') -> None:
        super().__init__(transforms)
        self.name = name

    def __call__(self, data: dict[str, Any]) -> dict[str, Any] | None:
        where = data.get('img_path') or f'example {data.get("sample_idx")} of {self.name}'
        stated = data.get('height'), data.get('width')
        for transform in self.transforms:
            try:
                data = transform(data)
            except DataError:
                raise
            except Exception as error:
                raise DataError(f'{where}: {type(transform).__name__} failed: {type(error).__name__}: {error}') \
                    from error
            if data is None:
                return None
            if isinstance(transform, LoadImageFromFile):
                check_image(where, data['img'], transform, stated)
        return data


def base_datasets(dataset: object) -> Iterator[BaseDataset]:
    """The mmengine datasets in a built dataset: itself, or the datasets that it wraps."""
    if isinstance(dataset, BaseDataset):
        yield dataset
    elif isinstance(dataset, SeededDataset):
        yield from base_datasets(dataset.wrapped)
    else:
        for inner in (getattr(dataset, 'dataset', None), *(getattr(dataset, 'datasets', None) or ())):
            if inner is not None:
                yield from base_datasets(inner)


def name_failures(dataset: object, field: str) -> None:
    """Give a built dataset, and all datasets in it, a :class:`NamedPipeline`.

    Raises:
        DataError: LoadImageFromFile(ignore_empty=True), with which mmengine
            silently replaces an unreadable image by another.
    """
    for base in base_datasets(dataset):
        for transform in base.pipeline.transforms:
            if getattr(transform, 'ignore_empty', False):
                raise DataError(f'{field}.pipeline: {type(transform).__name__} has ignore_empty=True, which takes '
                                'other images for those that cannot be read, without a word; remove it')
        base.pipeline = NamedPipeline(base.pipeline.transforms, type(base).__name__)


def raw_images(dataset: BuiltDataset, field: str) -> BuiltDataset:
    """A copy of a dataset that only loads and packs its images; a transfer augments them itself.

    Args:
        dataset: an mmengine dataset, or a ConcatDataset of such.
        field (str): of its config, for messages.

    Raises:
        ValueError: the pipeline has no Pack... transform at its end.
    """
    raw: Any = copy.copy(dataset)
    if isinstance(dataset, ConcatDataset):
        raw.datasets = [raw_images(member, f'{field}.datasets[{i}]') for i, member in enumerate(raw.datasets)]
        return raw
    kept = [transform for transform in raw.pipeline.transforms
            if type(transform).__name__.startswith(('LoadImage', 'Pack'))]
    if not kept or not type(kept[-1]).__name__.startswith('Pack'):
        raise ValueError(f'{field}.pipeline has no Pack... transform at its end')
    raw.pipeline = NamedPipeline(kept, type(dataset).__name__)
    return raw


def check_image(path: str, image: np.ndarray, transform: LoadImageFromFile, stated: tuple = (None, None)) -> None:
    """Raise DataError unless a loaded image has the shape, type and size that the model expects.

    Args:
        path (str): of its file.
        image (ndarray): loaded by ``transform``.
        transform (LoadImageFromFile): its options say what to expect.
        stated (tuple): height and width in the annotation file, or Nones.
    """
    if transform.color_type.startswith('color') and not (image.ndim == 3 and image.shape[2] == 3):
        raise DataError(f'{path}: was read to shape {image.shape}; must be [height, width, 3]')
    if not transform.to_float32 and image.dtype != np.uint8:
        raise DataError(f'{path}: was read to {image.dtype}; must be uint8')
    if None not in stated and tuple(stated) != image.shape[:2]:
        turned = "; the file's EXIF tag turns it: set color_type='color_ignore_orientation' of LoadImageFromFile if " \
            'the boxes are those of the image as stored' if tuple(stated) == image.shape[1::-1] else ''
        raise DataError(f'{path}: has height and width {image.shape[:2]}, but {tuple(stated)} in the annotation file, '
                        f'so that its boxes lie elsewhere{turned}')
    if os.path.isfile(path) and not is_remote(path):
        check_depth(path, transform.imdecode_backend)


def check_depth(path: str, backend: str) -> None:
    """Raise DataError for a file whose values can't be read as 8 bits.

    OpenCV takes the high byte of 16 bits, and casts other types (floats in a
    TIFF) to bytes: .5 becomes 0. Pillow clips 16 bits at 255.
    """
    with open(path, 'rb') as file:
        head = file.read(_PNG_DEPTH + 1)
    bits = 8
    if head.startswith(_PNG):
        bits = head[_PNG_DEPTH]
    elif head.startswith(_TIFF):
        stored = cv2.imread(path, cv2.IMREAD_UNCHANGED)
        kind = None if stored is None else stored.dtype
        if kind not in (np.uint8, np.uint16):
            raise DataError(f'{path}: holds {kind or "values"} that are not read as 8 bits per channel; convert it to '
                            '8 or 16 bits')
        bits = 8 * kind.itemsize
    if bits > 8 and backend == 'pillow':
        raise DataError(f"{path}: has {bits} bits per channel, which imdecode_backend='pillow' cuts off at 255; use "
                        "'cv2', which takes the high byte")
