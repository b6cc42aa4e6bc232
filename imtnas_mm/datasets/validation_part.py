"""ValidationPart: D^val of a search, by the pipeline of a test. The search network is validated on it."""
import copy
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from mmengine.dataset import ConcatDataset

from ..registry import DATASETS
from .checks import DataError
from .interface import BuiltDataset, EvaluatorConfig
from .pipeline import NamedPipeline
from .slice import slice_indices

NAME = 'ValidationPart'
FIELDS = ('type', 'pipeline', 'num', 'seed')


@DATASETS.register_module(name=NAME)
def refuse_validation_part(**options: Any) -> NoReturn:
    """Raises DataError: only the validation of a search has a D^val."""
    raise DataError(f'{NAME} is the part of train_dataloader on which a search learns its architecture; it belongs '
                    'into val_dataloader.<task>.dataset of a search. A test takes the dataset of a test split')


def is_validation_part(cfg: dict[str, Any]) -> bool:
    return str(cfg.get('type')).rpartition('.')[2] == NAME


def validation_part(cfg: dict[str, Any], dataset: BuiltDataset, val_indices: np.ndarray,
                    field: str) -> BuiltDataset:
    """D^val of a task, in the current scope of names.

    Args:
        cfg (dict): ``pipeline`` (of a test) and, for a part of it alone,
            ``num`` examples at most, drawn by ``seed`` (0).
        dataset: the training set of the task, built.
        val_indices (ndarray): its examples in D^val.
        field (str): the place of ``cfg``, for messages.

    Raises:
        DataError: for another field or a bad value; it names the field.
    """
    for key in cfg:
        if key not in FIELDS:
            raise DataError(f'{field}.{key}={cfg[key]!r}: {NAME} takes pipeline, num and seed; its images are those of '
                            'train_dataloader. For other images, set type with _delete_=True')
    if 'pipeline' not in cfg:
        raise DataError(f'{field}.pipeline: missing; it must be that of a test')
    num, seed = cfg.get('num'), cfg.get('seed', 0)
    if num is not None and (isinstance(num, bool) or not isinstance(num, int) or num < 1):
        raise DataError(f'{field}.num={num!r}: must be a whole number of examples from 1, or None for all')
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise DataError(f'{field}.seed={seed!r}: must be a whole number that is not negative')
    check_image_ids(dataset, field)
    if num is not None and num < len(val_indices):
        val_indices = val_indices[slice_indices(len(val_indices), num, seed)]
    return _part(dataset, val_indices.tolist(), cfg['pipeline'])


def check_image_ids(dataset: Any, field: str) -> None:
    """Raises DataError for members of a ConcatDataset that have an image id in common: metrics tell images by it."""
    if not isinstance(dataset, ConcatDataset):
        return
    member_of: dict[Any, int] = {}
    for number, member in enumerate(dataset.datasets):
        for i in range(len(member)):
            image_id = member.get_data_info(i).get('img_id')
            if image_id is None:  # images of a classification have none
                break
            if member_of.setdefault(image_id, number) != number:
                raise DataError(f'{field}: the image id {image_id} is in datasets[{member_of[image_id]}] and in '
                                f'datasets[{number}] of train_dataloader, and metrics tell images by their ids; '
                                'renumber those of an annotation file')


def check_boxes(cfg: dict[str, Any], evaluator: EvaluatorConfig, field: str, evaluator_field: str) -> None:
    """Raises DataError unless CocoMetrics of ``evaluator`` take the boxes of the images of a ValidationPart ``cfg``.

    With a file they would take all images of the file as validated.
    """
    metrics = evaluator if isinstance(evaluator, list | tuple) else [evaluator]
    for metric in metrics:
        if str(metric.get('type')).rpartition('.')[2] != 'CocoMetric':
            continue
        if metric.get('ann_file'):
            raise DataError(f'{evaluator_field}.ann_file={metric["ann_file"]!r}: the images of {NAME} are a part of '
                            'those of train_dataloader; set it to None, and the metric takes the boxes of the images '
                            'that it sees')
        if not any('instances' in step.get('meta_keys', ()) for step in cfg.get('pipeline', ())):
            raise DataError(f"{field}.pipeline: its PackDetInputs must have 'instances' in meta_keys, from which "
                            f'{evaluator_field} takes the boxes')


def _part(dataset: Any, indices: Sequence[int], pipeline: Sequence[dict[str, Any]]) -> Any:
    """A copy of an mmengine dataset, or of a ConcatDataset of such, with these examples and this pipeline alone."""
    if isinstance(dataset, ConcatDataset):
        part = copy.copy(dataset)
        starts = [0, *dataset.cumulative_sizes]
        part.datasets = [_part(member, [i - start for i in indices if start <= i < start + len(member)], pipeline)
                         for member, start in zip(dataset.datasets, starts, strict=False)]
        part.cumulative_sizes = part.cumsum(part.datasets)
        return part
    part = dataset.get_subset(list(indices))
    part.pipeline = NamedPipeline(pipeline, type(dataset).__name__)
    part.test_mode = True  # an example that can't be read stops the run, and is not replaced by another
    return part
