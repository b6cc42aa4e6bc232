"""Pipelines that name the file they fail at, and refuse images that are read wrong."""
import copy
import os

import cv2
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import BaseDataset, Compose, ConcatDataset

from .checks import DataError, is_remote
from .seeded import SeededDataset

_TIFF = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
_PNG = b'\x89PNG\r\n\x1a\n'
_PNG_DEPTH = 24  # the byte with the bits a channel


class NamedPipeline(Compose):
    """mmengine's, but whatever a transform raises becomes a DataError with the image's file and the transform.

    It also checks what LoadImageFromFile gives: OpenCV and pillow read some
    files to wrong values without a word (:func:`check_depth`), and boxes of an
    annotation file are those of the size it states.

    Args:
        transforms: as mmengine's.
        name (str): of a dataset whose images have no files.
    """

    def __init__(self, transforms, name='dataset'):
        super().__init__(transforms)
        self.name = name

    def __call__(self, data):
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


def base_datasets(dataset):
    """The datasets of mmengine's kind in a built dataset: itself, or those that it wraps."""
    if isinstance(dataset, BaseDataset):
        yield dataset
    elif isinstance(dataset, SeededDataset):
        yield from base_datasets(dataset.wrapped)
    else:
        for inner in (getattr(dataset, 'dataset', None), *(getattr(dataset, 'datasets', None) or ())):
            if inner is not None:
                yield from base_datasets(inner)


def name_failures(dataset, field):
    """Give a built dataset, or those that it wraps, pipelines that name the file they fail at.

    Raises:
        DataError: LoadImageFromFile(ignore_empty=True), by which mmengine
            takes another image for one that can't be read, and says nothing.
    """
    for one in base_datasets(dataset):
        for transform in one.pipeline.transforms:
            if getattr(transform, 'ignore_empty', False):
                raise DataError(f'{field}.pipeline: {type(transform).__name__} has ignore_empty=True, which takes '
                                'other images for those that cannot be read, without a word; remove it')
        one.pipeline = NamedPipeline(one.pipeline.transforms, type(one).__name__)


def raw_images(dataset, field):
    """A dataset of the same images and annotations that only loads and packs them: what an example of a transfer is
    before its augmentations.

    Args:
        dataset: of mmengine's kind, or a ConcatDataset of such; left as it is.
        field (str): of its config, for messages.

    Raises:
        ValueError: the pipeline has no Pack... transform at its end.
    """
    found = copy.copy(dataset)
    if isinstance(dataset, ConcatDataset):
        found.datasets = [raw_images(one, f'{field}.datasets[{i}]') for i, one in enumerate(dataset.datasets)]
        return found
    kept = [one for one in dataset.pipeline.transforms if type(one).__name__.startswith(('LoadImage', 'Pack'))]
    if not kept or not type(kept[-1]).__name__.startswith('Pack'):
        raise ValueError(f'{field}.pipeline has no Pack... transform at its end')
    found.pipeline = NamedPipeline(kept, type(dataset).__name__)
    return found


def check_image(path, image, transform, stated=(None, None)):
    """Raise DataError unless a loaded image is as the model takes it.

    Args:
        path (str): of its file.
        image (ndarray): as LoadImageFromFile left it.
        transform (LoadImageFromFile): that loaded it.
        stated (tuple): height and width in the annotation file, or None.
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


def check_depth(path, backend):
    """Raise DataError for a file whose values don't come out as 8 bits.

    OpenCV takes the high byte of 16 bits, and casts other kinds (floats in a
    TIFF) to bytes: .5 becomes 0. Pillow cuts 16 bits off at 255.
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
            raise DataError(f'{path}: holds {kind or "values"} that are not read as 8 bits a channel; convert it to 8 '
                            'or 16 bits')
        bits = 8 * kind.itemsize
    if bits > 8 and backend == 'pillow':
        raise DataError(f"{path}: has {bits} bits a channel, which imdecode_backend='pillow' cuts off at 255; use "
                        "'cv2', which takes the high byte")
