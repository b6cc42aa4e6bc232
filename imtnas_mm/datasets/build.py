"""Builds datasets of mmdet, mmpretrain and other libraries, with checks before and after."""
import logging
import os
from collections.abc import Iterable
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.dist import is_main_process
from mmengine.logging import print_log
from mmengine.registry import DATASETS

from ..compat.datasets import without_notes_on_imports
from ..files.inputs import check_file, is_remote
from . import checks
from .checks import DataError
from .class_names import image_folder, names_in
from .dropped import dropped_of_coco
from .interface import BuiltDataset, EvaluatorConfig
from .pipeline import name_failures

with without_notes_on_imports():
    from mmdet.datasets import CocoDataset
    from mmpretrain.datasets import CIFAR10, CustomDataset

    from .cifar import LocalCIFAR


def build_dataset(cfg: dict[str, Any], scope: str | None, field: str = 'dataset') -> BuiltDataset:
    """Build ``cfg``; names are looked up in ``scope`` first.

    Rank 0 logs the data that are left out (:func:`log_dropped`). An error in
    the pipeline names the file.

    Args:
        cfg (dict): dataset config.
        scope (str): 'mmdet', 'mmpretrain', ...
        field (str): the place of ``cfg`` in the user's config, for messages,
            such as 'train_dataloader.det.dataset'.

    Returns:
        the dataset, fully initialised.

    Raises:
        DataError: the data don't exist or can't be used; it names file and field.
    """
    log_dropped(check_dataset(cfg, scope, field))
    empty = DataError(f'{field}: {_source(cfg)} has no usable image; filter_cfg={cfg.get("filter_cfg")!r} may have '
                      'dropped all (images without a box of the classes, or too small)')
    with DATASETS.switch_scope_and_registry(scope) as registry:
        try:
            dataset = registry.build(cfg)
            if hasattr(dataset, 'full_init'):
                dataset.full_init()
        except ValueError as error:
            if 'at least one array to concatenate' in str(error):  # mmengine serialises an empty list
                raise empty from error
            raise
    if len(dataset) == 0:
        raise empty
    name_failures(dataset, field)
    return dataset


def log_dropped(lines: Iterable[str]) -> None:
    """Log the lines that :func:`check_dataset` returned."""
    for line in lines:
        print_log(line, 'current', logging.WARNING)


def check_dataset(cfg: dict[str, Any], scope: str | None, field: str = 'dataset') -> list[str]:
    """The checks of :func:`build_dataset` that need no built dataset.

    Returns:
        list[str]: the data that the dataset leaves out, one line per
        reason; empty on ranks other than 0.
    """
    with DATASETS.switch_scope_and_registry(scope) as registry:
        if registry.scope != scope:
            raise DataError(f'{field}: scope {scope!r} has no dataset registry; is the package installed?')
        return list(_check(cfg, registry, field))


def check_evaluator(cfg: EvaluatorConfig, field: str = 'evaluator') -> None:
    """Check the annotation files of an evaluator's CocoMetrics."""
    for metric in cfg if isinstance(cfg, (list, tuple)) else [cfg]:
        path = metric.get('ann_file')
        if str(metric.get('type')).rpartition('.')[2] == 'CocoMetric' and path and not is_remote(path):
            checks.load_coco(path, f'{field}.ann_file')


def _source(cfg):
    return os.path.join(cfg.get('data_root', ''), cfg.get('ann_file', '')) or f'type={cfg["type"]!r}'


def _check(cfg, registry, field):
    """Check the data of a dataset config, inside wrappers, too; yields lines on data that are left out."""
    for key in ('dataset', 'datasets'):
        inner = cfg.get(key)
        if isinstance(inner, dict):
            yield from _check(inner, registry, f'{field}.{key}')
        elif isinstance(inner, (list, tuple)):
            for i, member in enumerate(inner):
                if isinstance(member, dict):
                    yield from _check(member, registry, f'{field}.{key}[{i}]')
    if 'type' not in cfg:
        raise DataError(f'{field}.type: missing; name a registered dataset class')
    with registry.switch_scope_and_registry(cfg.get('_scope_')) as scoped:  # inherited library configs set _scope_
        kind = scoped.get(cfg['type']) if isinstance(cfg['type'], str) else cfg['type']
    if not (isinstance(kind, type) and issubclass(kind, BaseDataset)):
        return  # a wrapper, or an unknown type, which fails when it is built
    root = cfg.get('data_root', '') or ''
    if is_remote(root):
        return
    coco = issubclass(kind, CocoDataset)
    cifar = issubclass(kind, LocalCIFAR)
    downloads = issubclass(kind, CIFAR10) and not cifar and cfg.get('download', True)
    if root and not downloads:
        layout = checks.COCO_LAYOUT if coco else checks.FOLDER_LAYOUT if issubclass(kind, CustomDataset) else \
            f'{kind.base_folder}/ with the files of {kind.filename}' if cifar else f'the files of {kind.__name__}'
        checks.check_folder(root, f'{field}.data_root', layout)
    if coco:
        yield from _check_coco(cfg, kind, root, field)
    elif issubclass(kind, CustomDataset):
        yield from _check_folders(cfg, kind, root, field)
    elif cifar:
        _check_cifar(cfg, kind, root, field)


def _check_coco(cfg, kind, root, field):
    path = os.path.join(root, cfg.get('ann_file', ''))
    if not cfg.get('ann_file'):
        raise DataError(f'{field}.ann_file: missing; name a COCO annotation file, e.g. '
                        'annotations/instances_train2017.json')
    if is_remote(path):
        return ()
    content = checks.load_coco(path, f'{field}.ann_file')
    classes = (cfg.get('metainfo') or {}).get('classes', kind.METAINFO.get('classes'))
    classes = names_in(classes, f'{field}.metainfo.classes')
    if classes is not None:
        checks.check_coco_classes(content, path, classes, f'{field}.metainfo.classes')
    prefix = os.path.join(root, (cfg.get('data_prefix') or {}).get('img', ''))
    if not is_remote(prefix):
        checks.check_coco_images(content, path, prefix, f'{field}.data_prefix.img')
    if not is_main_process():
        return ()
    return [f'{field}.ann_file: {path!r}: {line}' for line in dropped_of_coco(kind, cfg, content)]


def _check_folders(cfg, kind, root, field):
    path, ann_file, with_label = image_folder(cfg)
    classes = cfg.get('classes') or (cfg.get('metainfo') or {}).get('classes', kind.METAINFO.get('classes'))
    classes = names_in(classes, f'{field}.classes') if with_label else ()
    if is_remote(path):
        return ()
    if ann_file and kind.load_data_list is not CustomDataset.load_data_list:  # its format is unknown here
        check_file(os.path.join(root, ann_file), f'{field}.ann_file', DataError)
    elif ann_file:
        checks.check_image_list(os.path.join(root, ann_file), path, None if classes is None else len(classes),
                                f'{field}.ann_file')
    elif with_label:
        return checks.check_class_folders(
            path, classes, cfg.get('extensions', checks.IMAGE_ENDINGS), f'{field}.data_prefix')
    return ()


def _check_cifar(cfg, kind, root, field):
    split = cfg.get('split', 'train')
    if split not in ('train', 'test'):
        raise DataError(f"{field}.split: {split!r}; must be 'train' or 'test'")
    for name, _ in kind.files(split):
        check_file(os.path.join(root, cfg.get('data_prefix', ''), name), f'{field}.data_root', DataError)
