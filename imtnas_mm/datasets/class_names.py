"""Reads the class names of a dataset: from its config, its annotation file or its class folders."""
import os
from collections.abc import Sequence
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS

from ..compat.datasets import without_notes_on_imports
from ..files.inputs import check_file, is_remote
from . import checks

with without_notes_on_imports():
    from mmdet.datasets import CocoDataset
    from mmpretrain.datasets import CustomDataset


def class_names(cfg: dict[str, Any], scope: str | None, field: str) -> tuple[str, ...] | None:
    """The class names that a dataset will have, in the order of its labels; the dataset is not built.

    - ``classes`` or ``metainfo.classes``, if the config has them;
    - else those of the dataset's class, such as ImageNet's; but if ``metainfo.classes`` is None:
    - the categories of an annotation file of COCO, or the sorted class folders of a ``CustomDataset``.

    Args:
        cfg (dict): dataset config; of a wrapper, the first dataset in it counts.
        scope (str): the library in which its type is looked up.
        field (str): the place of ``cfg`` in the config, for messages.

    Returns:
        tuple[str] | None: None if they can't be known without the dataset.

    Raises:
        DataError: the file or the folders can't be used; it names the field.
    """
    cfg, field = innermost(cfg, field)
    with DATASETS.switch_scope_and_registry(cfg.get('_scope_') or scope) as registry:
        kind = registry.get(cfg['type']) if isinstance(cfg.get('type'), str) else cfg.get('type')
    if not (isinstance(kind, type) and issubclass(kind, BaseDataset)):
        return None
    metainfo = cfg.get('metainfo') or {}
    place = 'classes' if cfg.get('classes') else 'metainfo.classes'
    names = names_in(cfg.get('classes') or metainfo.get('classes'), f'{field}.{place}')
    if names is None and not ('classes' in metainfo and issubclass(kind, (CocoDataset, CustomDataset))):
        names = kind.METAINFO.get('classes')
    if names is None and issubclass(kind, CocoDataset) and cfg.get('ann_file'):
        path = os.path.join(cfg.get('data_root') or '', cfg['ann_file'])
        if not is_remote(path):
            names = [category['name'] for category in checks.load_coco(path, f'{field}.ann_file')['categories']]
    if names is None and issubclass(kind, CustomDataset):
        folder, ann_file, with_label = image_folder(cfg)
        if with_label and not ann_file and not is_remote(folder):
            checks.check_folder(folder, f'{field}.data_prefix', checks.FOLDER_LAYOUT)
            names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
            if not names:
                raise checks.DataError(f'{field}.data_prefix: {folder!r} has no folders; expected one per class: '
                                       f'{checks.FOLDER_LAYOUT}')
    return None if names is None else tuple(names)


def innermost(cfg: dict[str, Any], field: str) -> tuple[dict[str, Any], str]:
    """The dataset in a wrapper, the first of several, and its place in the config."""
    for key in ('dataset', 'datasets'):
        inner, place = cfg.get(key), f'{field}.{key}'
        if isinstance(inner, (list, tuple)) and inner:
            inner, place = inner[0], f'{place}[0]'
        if isinstance(inner, dict):
            return innermost(inner, place)
    return cfg, field


def names_in(classes: str | Sequence[str] | None, field: str) -> Sequence[str] | None:
    """Class names; a config may give a file with one name per line. ``None`` if it gives none."""
    if not isinstance(classes, str):
        return classes
    check_file(classes, field, checks.DataError)
    with open(classes, encoding='utf-8') as file:
        return [line.strip() for line in file if line.strip()]


def image_folder(cfg: dict[str, Any]) -> tuple[str, str, bool]:
    """(folder of images, list of images or '', whether images have labels) of mmpretrain's ``CustomDataset``."""
    root = cfg.get('data_root', '') or ''
    prefix = cfg.get('data_prefix', '') or cfg.get('split', '')
    prefix = prefix.get('img_path', '') if isinstance(prefix, dict) else prefix
    ann_file = cfg.get('ann_file', '')
    if not ann_file and cfg.get('split') and os.path.isfile(os.path.join(root, 'meta', f'{cfg["split"]}.txt')):
        ann_file = os.path.join('meta', f'{cfg["split"]}.txt')  # as mmpretrain's ImageNet does
    with_label = cfg.get('with_label', True) and cfg.get('split') != 'test'  # ImageNet's test set has no labels
    return os.path.join(root, prefix), ann_file, with_label
