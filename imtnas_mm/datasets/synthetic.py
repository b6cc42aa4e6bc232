"""Images of noise in the number, size and classes of a real set, to rehearse a training without its data."""
import copy
from collections.abc import Iterator, Sequence, Sized
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset
from torch.utils.data import Sampler

from ..registry import DATA_SAMPLERS, DATASETS, TRANSFORMS

SIDES = (12, 320)  # shortest and longest side of a box; COCO's small, medium and large boxes are all among these
PLACES = 101  # images after which boxes, but not their labels, come again: samplers read those of all images


def noise(number: int, height: int, width: int) -> np.ndarray:
    """uint8 [height, width, 3], drawn from the number of the image."""
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)


@DATASETS.register_module()
class SyntheticDataset(BaseDataset):
    """A dataset of ``length`` images of noise, which takes no memory and reads no file.

    Labels go round all classes. An image depends on its number alone.

    Args:
        length (int): number of examples.
        image_size (tuple[int, int]): height and width.
        stored (bool): whether an example has its pixels, as CIFAR's have;
            otherwise the pipeline makes them (:class:`LoadImageFromNoise`), as
            it would read a file.
        boxes (int): per image; 0 for classification.
        metainfo (dict): its ``classes`` are those of the labels.
        options: ``pipeline``, ``test_mode`` and ``max_refetch`` of mmengine's dataset.

    Raises:
        ValueError: without an example, a pixel or a class.
    """

    def __init__(self, length: int, image_size: Sequence[int], stored: bool = False, boxes: int = 0,
                 metainfo: dict[str, Any] | None = None, **options: Any) -> None:
        if length < 1 or len(image_size) != 2 or min(image_size) < 1:
            raise ValueError(f'length={length!r}, image_size={tuple(image_size)!r}: it needs an example and a pixel')
        self.numbers = np.arange(length)
        self.height, self.width = image_size
        self.stored = stored
        self.boxes = boxes
        self.num_classes = len((metainfo or {}).get('classes', ()))
        if not self.num_classes:
            raise ValueError(f'metainfo={metainfo!r}: it must have the classes of the labels')
        self.places = self._drawn_places()
        super().__init__(metainfo=metainfo, serialize_data=False, lazy_init=True, **options)

    def full_init(self) -> None:
        self._fully_initialized = True

    def __len__(self) -> int:
        return len(self.numbers)

    def get_subset_(self, indices: Sequence[int] | int) -> None:
        """As mmengine's: these examples alone, or the first (from the end if negative) of them."""
        if isinstance(indices, int):
            self.numbers = self.numbers[:indices] if indices >= 0 else self.numbers[indices:]
        else:
            self.numbers = self.numbers[np.asarray(indices, np.int64)]

    def get_subset(self, indices: Sequence[int] | int) -> 'SyntheticDataset':
        subset = copy.copy(self)
        subset.get_subset_(indices)
        return subset

    def get_gt_labels(self) -> np.ndarray:
        return self.numbers % self.num_classes

    def get_cat_ids(self, idx: int) -> list[int]:
        info = self.get_data_info(idx)
        return [box['bbox_label'] for box in info['instances']] if self.boxes else [info['gt_label']]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        number = int(self.numbers[idx])
        info: dict[str, Any] = dict(sample_idx=idx)
        if self.stored:
            info['img'] = noise(number, self.height, self.width)
        else:
            info.update(img_id=number, img_path=f'image {number} of noise', height=self.height, width=self.width)
        if self.boxes:
            info['instances'] = self._instances(number)
        else:
            info['gt_label'] = number % self.num_classes
        return info

    def _instances(self, number: int) -> list[dict[str, Any]]:
        return [dict(bbox=list(box), bbox_label=(number * self.boxes + place) % self.num_classes, ignore_flag=0)
                for place, box in enumerate(self.places[number % PLACES])]

    def _drawn_places(self) -> list[list[list[float]]]:
        """Boxes [left, top, right, bottom] of ``PLACES`` images, of sizes that are uniform on a logarithmic scale."""
        draw = np.random.default_rng(0)
        shape = PLACES, self.boxes, 2
        longest = np.minimum(SIDES[1], (self.width, self.height))
        sizes = np.exp(draw.uniform(np.log(np.minimum(SIDES[0], longest)), np.log(longest), shape))
        corners = draw.uniform(0, 1, shape) * ((self.width, self.height) - sizes)
        return np.concatenate([corners, corners + sizes], -1).round(2).tolist()


@TRANSFORMS.register_module()
class LoadImageFromNoise(BaseTransform):
    """Makes the image of a :class:`SyntheticDataset`, where a pipeline of files has mmcv's LoadImageFromFile.

    Args:
        to_float32 (bool): as there.
    """

    def __init__(self, to_float32: bool = False) -> None:
        self.to_float32 = to_float32

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        image = noise(results['img_id'], results['height'], results['width'])
        size = image.shape[:2]
        return dict(results, img=image.astype(np.float32) if self.to_float32 else image, img_shape=size,
                    ori_shape=size)


@DATA_SAMPLERS.register_module()
class FirstExamples(Sampler):
    """The first ``number`` examples of a dataset, in their order; ``seed`` is mmengine's and is not used."""

    def __init__(self, dataset: Sized, number: int, seed: int | None = None) -> None:
        self.number = min(number, len(dataset))

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.number))

    def __len__(self) -> int:
        return self.number
