"""Checks all data that a config names, for tools/check_data.py: files, annotations, class names, counts, one batch."""
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope

from ...config.task_data import PARTS
from ...datasets import (
    DataError,
    build_dataset,
    check_boxes,
    check_evaluator,
    is_validation_part,
    splits_of,
    validation_part,
)
from ...tasks.joint_model import is_joint
from .complete import complete_classes
from .config import is_search
from .parts import evaluators_of, loaders_of, scope_of


@dataclass(frozen=True)
class CheckedData:
    """A dataset that can be used.

    Args:
        field (str): its place in the config.
        kind (str): the class.
        examples (int): their number.
        classes (int | None): number of class names.
        counts (Counter | None): examples per label; an image of a detection counts once for each of its classes.
        batch (str): the shapes of the inputs of a batch.
        notes (list[str]): its parts in a search, and classes without an example.
    """
    field: str
    kind: str
    examples: int
    classes: int | None
    counts: Counter | None
    batch: str
    notes: list[str]


def check_config_data(cfg: Config) -> tuple[list[CheckedData], list[str]]:
    """Check the datasets of all parts of a config of a search, a joint training or a retraining.

    Returns:
        (list[CheckedData], list[str]): the datasets that can be used, and the faults, which name field and file.
    """
    checked, faults, train = [], [], {}
    several = is_search(cfg) or is_joint(cfg)
    splits: Mapping[str, Any] = {}
    if is_search(cfg):
        try:
            splits = splits_of(cfg.train_cfg.get('split'), tuple(cfg.train_cfg.order), 'train_cfg.split')
        except (ValueError, AttributeError) as error:
            faults.append(str(error))
    for part in PARTS:
        for task, field, loader in loaders_of(cfg, part, several):
            try:
                scope = scope_of(cfg, task)
                complete_classes(cfg, part, task)
                with DefaultScope.overwrite_default_scope(scope):
                    if is_validation_part(loader['dataset']):
                        dataset = _validation_part(cfg, task, field, loader, train, splits)
                    else:
                        dataset = build_dataset(loader['dataset'], scope, field)  # it logs what is left out
                    notes = []
                    if part == 'train':
                        train[task] = dataset
                    if task in splits and part == 'train':
                        weights, alphas = splits[task].indices(len(dataset))
                        notes.append(f'{len(weights)} examples train weights, {len(alphas)} the architecture')
                    checked.append(_checked(field, dataset, loader.get('batch_size', 1), notes))
            except Exception as error:  # whatever a run would raise
                text = str(error) if isinstance(error, DataError) else f'{field}: {type(error).__name__}: {error}'
                faults.append(text)
        for field, evaluator in evaluators_of(cfg, part, several):
            try:
                check_evaluator(evaluator, field)
            except DataError as error:
                faults.append(str(error))
    if not checked and not faults:
        faults.append('train_dataloader, val_dataloader, test_dataloader: the config has none of them')
    return checked, faults


def _validation_part(cfg, task, field, loader, train, splits):
    if task not in train or task not in splits:
        raise DataError(f'{field}: is a part of train_dataloader.{task}.dataset, which cannot be used')
    check_boxes(loader['dataset'], cfg.val_evaluator[task], field, f'val_evaluator.{task}')
    return validation_part(loader['dataset'], train[task], splits[task].indices(len(train[task]))[1], field)


def _checked(field, dataset, batch_size, notes):
    names = (getattr(dataset, 'metainfo', None) or {}).get('classes')
    counts = None
    if hasattr(dataset, 'get_cat_ids'):
        counts = Counter(label for i in range(len(dataset)) for label in set(dataset.get_cat_ids(i)))
        missing = [name for label, name in enumerate(names or ()) if not counts[label]]
        if missing:
            notes = [*notes, f'{len(missing)} classes without an example: {", ".join(map(str, missing[:5]))}'
                     + (', ...' if len(missing) > 5 else '')]
    batch = [dataset[i] for i in range(min(batch_size, len(dataset)))]
    shapes = Counter(tuple(example['inputs'].shape) for example in batch)
    most, number = shapes.most_common(1)[0]
    text = f'{len(batch)} of {"x".join(map(str, most))}' if len(shapes) == 1 else (
        f'{len(batch)}, {number} of {"x".join(map(str, most))}')
    return CheckedData(field, type(dataset).__name__, len(dataset), None if names is None else len(names), counts, text,
                       notes)
