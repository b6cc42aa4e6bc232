"""CIFAR-10 and CIFAR-100 datasets, read from the official files without downloads and without running pickled code."""
import _codecs
import hashlib
import io
import os
import pickle
from typing import Any

import numpy as np
from mmengine.fileio import exists, get
from mmpretrain.datasets import CIFAR10 as _CIFAR10
from mmpretrain.datasets import CIFAR100 as _CIFAR100

from ..compat.datasets import ARRAY_MAKERS
from ..registry import DATASETS
from .checks import DataError, short

SIDE = 32
PIXELS = 3 * SIDE * SIDE


def _encode(text, encoding):
    """``_codecs.encode`` for latin1 alone, with which pickles of protocol 2 store bytes."""
    if encoding not in ('latin1', 'latin-1'):
        raise pickle.UnpicklingError(f'it encodes in {encoding!r}')
    return _codecs.encode(text, 'latin1')


# every name in the pickle of a NumPy array
_ALLOWED = {
    ('numpy', 'ndarray'): np.ndarray,
    ('numpy', 'dtype'): np.dtype,
    ('_codecs', 'encode'): _encode,
    **ARRAY_MAKERS,
}


class _ArrayUnpickler(pickle.Unpickler):

    def find_class(self, module, name):
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f'it refers to {module}.{name}, which could run code; only NumPy arrays, '
                                         'numbers, strings, lists and dicts are read')
        return _ALLOWED[module, name]


def load_batch(content: bytes, path: str, num_classes: int) -> tuple[np.ndarray, list[int]]:
    """The images and labels of a CIFAR file.

    Args:
        content (bytes): of the file.
        path (str): of the file, for messages.
        num_classes (int): labels go from 0 to ``num_classes - 1``.

    Returns:
        tuple[ndarray, list[int]]: uint8 [N, 32, 32, 3] in RGB, and N labels
        (the fine ones of CIFAR-100).

    Raises:
        DataError: not a pickle, a pickle of more than arrays and plain values,
            or of another layout.
    """
    try:
        entry = _ArrayUnpickler(io.BytesIO(content), encoding='latin1').load()
    except Exception as error:  # a broken pickle can raise anything
        raise DataError(f'{path}: cannot be read as a CIFAR file: {type(error).__name__}: {error}') from error
    if not isinstance(entry, dict):
        raise DataError(f'{path}: holds a {type(entry).__name__}; a CIFAR file is a dict with data and labels')
    name = 'labels' if 'labels' in entry else 'fine_labels'
    for key in ('data', name):
        if key not in entry:
            raise DataError(f'{path}: has no {key!r}; it has {short(sorted(map(str, entry)))}')
    images, labels = entry['data'], entry[name]
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != PIXELS:
        kind = f'{images.dtype} {images.shape}' if isinstance(images, np.ndarray) else type(images).__name__
        raise DataError(f"{path}: 'data' is {kind}; must be an array of uint8 (N, {PIXELS})")
    if not len(images):
        raise DataError(f"{path}: 'data' has no image")
    if not isinstance(labels, list) or len(labels) != len(images):
        kind = f'{len(labels)} labels' if isinstance(labels, list) else type(labels).__name__
        raise DataError(f'{path}: {name!r} is {kind}; must be a list with one for each of the {len(images)} images')
    for i, label in enumerate(labels):
        if isinstance(label, bool) or not isinstance(label, int | np.integer) or not 0 <= label < num_classes:
            raise DataError(f'{path}: {name}[{i}] is {short(label)}; must be a whole number from 0 to '
                            f'{num_classes - 1}')
    return images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), [int(label) for label in labels]


def shrink(images: np.ndarray, size: int) -> np.ndarray:
    """uint8 [N, 32, 32, 3] -> [N, size, size, 3], rounded means of square blocks; ``size`` divides 32."""
    block = SIDE // size
    sums = np.full((len(images), size, size, 3), block**2 // 2, np.uint32)
    for row in range(block):  # numpy's sum over two axes of so few numbers takes ten times as long
        for column in range(block):
            sums += images[:, row::block, column::block]
    return (sums // block**2).astype(np.uint8)


class LocalCIFAR:
    """A mixin before mmpretrain's dataset that reads its files safely.

    Args:
        data_root (str): has the folder ``base_folder``.
        split (str): ``'train'`` or ``'test'``.
        check_md5 (bool): refuse files other than the official ones. False
            takes any files of the same layout.
        image_size (int): images are shrunk to it by averaging; it divides 32.
        kwargs: other arguments of mmpretrain's class; ``download=True`` is
            refused, since nothing is ever downloaded.
    """

    # attributes of mmpretrain's class
    filename: str
    url: str
    base_folder: str
    train_list: list[tuple[str, str]]
    test_list: list[tuple[str, str]]
    split: str
    data_prefix: dict[str, str]
    CLASSES: Any

    def __init__(self, data_root: str = '', split: str = 'train', check_md5: bool = True, image_size: int = SIDE,
                 download: bool = False, **kwargs: Any) -> None:
        if isinstance(image_size, bool) or not isinstance(image_size, int) or image_size < 1 or SIDE % image_size:
            raise DataError(f'image_size={image_size!r} of the data in {data_root!r}: images of {SIDE} pixels are '
                            'shrunk to 16, 8, 4, 2 or 1')
        self.image_size = image_size
        if download:
            raise DataError(f'download={download!r}: nothing is downloaded; unpack {self.filename} of {self.url} in '
                            f'data_root={data_root!r} yourself')
        self.check_md5 = check_md5
        options: dict[str, Any] = dict(data_root=data_root, split=split, download=False, **kwargs)
        super().__init__(**options)

    @classmethod
    def files(cls, split: str) -> list[tuple[str, str]]:
        """list[tuple[str, str]]: paths below the root, and their official md5 sums."""
        listed = dict(train=cls.train_list, test=cls.test_list)[split]
        return [(os.path.join(cls.base_folder, name), md5) for name, md5 in listed]

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the files of the split.

        Raises:
            DataError: a file is missing, not the official one, or can't be read.
        """
        data = []
        for name, md5 in self.files(self.split):
            path = os.path.join(self.data_prefix['root'], name)
            if not exists(path):
                raise DataError(f'{path}: no such file; unpack {self.filename} of {self.url} there (nothing is '
                                'downloaded)')
            content = get(path)
            digest = hashlib.md5(content, usedforsecurity=False).hexdigest() if self.check_md5 else md5
            if digest != md5:
                raise DataError(f'{path}: its md5 sum is {digest}, that of the official file {md5}: it is damaged, or '
                                'other data in this layout, for which set check_md5=False')
            images, labels = load_batch(content, path, len(self.CLASSES))
            if self.image_size != SIDE:
                images = shrink(images, self.image_size)
            data.extend(dict(img=image, gt_label=label) for image, label in zip(images, labels, strict=True))
        return data


@DATASETS.register_module()
class CIFAR10(LocalCIFAR, _CIFAR10):
    """CIFAR-10 in ``<data_root>/cifar-10-batches-py``; arguments as :class:`LocalCIFAR`."""


@DATASETS.register_module()
class CIFAR100(LocalCIFAR, _CIFAR100):
    """CIFAR-100 in ``<data_root>/cifar-100-python``; arguments as :class:`LocalCIFAR`."""
