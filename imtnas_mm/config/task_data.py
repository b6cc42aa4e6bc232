"""Makes dataloaders and metrics from ``task_data``, the field in which a config describes each task's data once."""
import os.path as osp
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.utils import is_abs

DATA_FIELDS = ('task_data', 'data_task')  # the fields that :func:`expand_task_data` reads
PARTS = ('train', 'val', 'test')
ENTRY_FIELDS = ('data_root', *PARTS, 'classes', 'image_size', 'batch_size', 'num_workers', 'flip')
PLACES = {'ann_file', 'data_prefix', 'data_root'}  # fields of datasets; at the top of a config they are refused
# the dataset class of a library, and its fields in the standard layout
DATASETS: dict[Any, tuple[str, Any, Any]] = dict(
    mmpretrain=('CustomDataset', dict(data_prefix='train'), dict(data_prefix='val')),
    mmdet=('CocoDataset',
           dict(ann_file='annotations/instances_train2017.json', data_prefix=dict(img='train2017/')),
           dict(ann_file='annotations/instances_val2017.json', data_prefix=dict(img='val2017/'))))
# the default of mmdet's PackDetInputs without the fields of a flip
META_KEYS = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
LOAD = dict(type='LoadImageFromFile')
TEST_CROP = 224 / 256  # the share of a test image's short edge that a classifier sees, as in mmpretrain's pipelines


def expand_task_data(cfg: Config, scopes: Mapping[str, str | None], search: bool) -> None:
    """Replace ``task_data`` of a config by ordinary dataloaders and evaluators, in place; no file is read.

    ::

        task_data = dict(
            cls=dict(data_root='pictures', image_size=64, batch_size=32),
            det=dict(
                data_root='scenes',
                train=dict(ann_file='train.json', data_prefix=dict(img='train/')),
                val=dict(ann_file='val.json', data_prefix=dict(img='val/')),
                image_size=(640, 480), batch_size=4))

    - ``data_root``: the folder of the data.
    - ``train``, ``val``, ``test``: fields of the dataset (mmpretrain's ``CustomDataset``, mmdet's ``CocoDataset``, or
      another ``type``). By default the layout of ImageNet or COCO; ``test`` is ``val`` by default.
    - ``classes``: class names; by default those of the training data.
    - ``image_size``: the side of a classifier's images; of a detector's images the longest side, or (long, short).
    - ``batch_size``, ``num_workers`` (2): per process.
    - ``flip`` (.5): the share of training images that are mirrored.

    The config's own ``train_dataloader`` and other fields are merged into these. Class names that are to come from
    files are left as None.

    Args:
        cfg (Config): of a search, a joint training or a retraining. A retraining names its task in ``data_task``.
        scopes (dict): task -> its library; a retraining has the task ''.
        search (bool): whether it is a search, which is validated on a part of its training data.

    Raises:
        ValueError: an entry is missing, unknown or has a wrong value; it names the field.
    """
    entries, chosen = cfg.pop('task_data', None), cfg.pop('data_task', None)
    if entries is None:
        return
    if not isinstance(entries, Mapping) or not all(isinstance(entry, Mapping) for entry in entries.values()):
        raise ValueError(f'task_data={entries!r}: must be a dict of one dict per task')
    for part in PARTS:
        value = cfg.get(part)
        if isinstance(value, Mapping) and PLACES & set(value) and all(value != e.get(part) for e in entries.values()):
            raise ValueError(f'{part}={dict(value)!r}: stands at the top of the config, where nothing reads it; fields '
                             f"of a task's dataset belong into task_data.<task>.{part}, with tasks {sorted(entries)}")
    several = '' not in scopes
    unknown = sorted(set(entries) - set(scopes)) if several else []
    if unknown:
        raise ValueError(f'task_data.{unknown[0]}: there is no such task; model.tasks has {sorted(scopes)}')
    if not several and chosen not in entries:
        raise ValueError(f'data_task={chosen!r}: must be the task of task_data that is trained, one of '
                         f'{sorted(entries)}')
    filled: dict[str, Any] = {}
    for task, scope in scopes.items():
        name = task or chosen
        if name not in entries:  # a search of a single task needs no data of the others
            continue
        for field, value in task_fields(entries[name], f'task_data.{name}', scope, search).items():
            if several:
                filled.setdefault(field, {})[task] = value
            else:
                filled[field] = value
    merged = Config(filled)
    for field in filled:
        if cfg.get(field) is not None:
            merged.merge_from_dict({field: cfg[field]})
        cfg[field] = merged[field]


def task_fields(entry: Mapping[str, Any], field: str, scope: str | None, search: bool) -> dict[str, Any]:
    """The dataloaders and evaluators of a task.

    Args:
        entry (dict): of ``task_data``.
        field (str): its place in the config, for messages.
        scope (str): the library of the task.
        search (bool): as for :func:`expand_task_data`.

    Raises:
        ValueError: as :func:`expand_task_data`.
    """
    if scope not in DATASETS:
        raise ValueError(f'{field}: its task is one of {scope}; task_data makes the data of mmpretrain and mmdet. Set '
                         'train_dataloader, val_dataloader, val_evaluator and their likes instead')
    check_entry(entry, field, scope)
    root, (kind, *layout) = entry['data_root'], DATASETS[scope]
    train, val = (entry.get(part, fields) for part, fields in zip(('train', 'val'), layout, strict=True))
    test = entry.get('test', val)
    detects = scope == 'mmdet'
    pipeline = detection_pipeline if detects else classification_pipeline
    workers = entry.get('num_workers', 2)
    loader = dict(batch_size=entry['batch_size'], num_workers=workers, persistent_workers=workers > 0)
    if not detects:
        loader['collate_fn'] = dict(type='default_collate')  # images of one size: workers hand over one tensor

    def dataset(fields: Mapping[str, Any], part: str) -> dict[str, Any]:
        options: dict[str, Any] = dict(type=kind, data_root=root, pipeline=pipeline(entry, part))
        if 'classes' in entry or 'type' not in fields:  # other datasets know theirs
            # COCO's palette has 80 colours; without one mmdet draws as many as there are classes
            options['metainfo'] = dict(classes=entry.get('classes'), **(dict(palette=None) if detects else {}))
        if detects:
            options.update(dict(filter_cfg=dict(filter_empty_gt=True, min_size=1)) if part == 'train' else dict(
                test_mode=True))
        return {**options, **fields}

    def metric(fields: Mapping[str, Any] | None) -> dict[str, Any]:
        if not detects:
            return dict(type='Accuracy', topk=(1, ))
        metric = dict(type='CocoMetric', metric='bbox')
        if fields is None:
            return metric
        file, folder = fields['ann_file'], fields.get('data_root', root)  # as the dataset joins them
        return dict(metric, ann_file=osp.join(folder, file) if folder and not is_abs(file) else file)

    def sampler(shuffle: bool) -> dict[str, Any]:
        return dict(type='DefaultSampler', shuffle=shuffle)

    # class folders come one after the other; batch statistics of one class would mislead the search network
    order = dict(sampler(True), seed=0) if search and not detects else sampler(False)
    validated = dict(type='imtnas_mm.ValidationPart', pipeline=pipeline(entry, 'part')) if search else dataset(
        val, 'val')
    filled = dict(
        train_dataloader=dict(loader, dataset=dataset(train, 'train'), **({} if search else dict(
            sampler=sampler(True)))),
        val_dataloader=dict(loader, dataset=validated, sampler=order),
        test_dataloader=dict(loader, dataset=dataset(test, 'test'), sampler=order))
    for part, fields in (('val', None if search else val), ('test', test)):
        if not detects or fields is None or 'ann_file' in fields:  # other datasets have metrics that only users know
            filled[f'{part}_evaluator'] = metric(fields)
    return filled


def classification_pipeline(entry: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    """Transforms of mmpretrain: a random crop of the side ``image_size`` in training, the centre in tests."""
    side = entry['image_size']
    if part == 'train':
        steps = [dict(type='RandomResizedCrop', scale=side),
                 dict(type='RandomFlip', prob=float(entry.get('flip', .5)), direction='horizontal')]
    else:
        steps = [dict(type='ResizeEdge', scale=round(side / TEST_CROP), edge='short'),
                 dict(type='CenterCrop', crop_size=side)]
    return [dict(LOAD), *steps, dict(type='PackInputs')]


def detection_pipeline(entry: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    """Transforms of mmdet: images resized into ``image_size`` with their shape kept.

    ``part='part'`` is for D^val of a search, whose metric takes the boxes of the images that it sees.
    """
    size = entry['image_size']
    resize = dict(type='Resize', scale=(size, size) if isinstance(size, int) else tuple(size), keep_ratio=True)
    boxes = dict(type='LoadAnnotations', with_bbox=True)
    if part == 'train':
        return [dict(LOAD), boxes, resize, dict(type='RandomFlip', prob=float(entry.get('flip', .5))),
                dict(type='PackDetInputs')]
    keys = (*META_KEYS, 'instances') if part == 'part' else META_KEYS
    return [dict(LOAD), resize, boxes, dict(type='PackDetInputs', meta_keys=keys)]


def check_entry(entry: Mapping[str, Any], field: str, scope: str | None) -> None:
    """Raises ValueError for an entry of ``task_data`` with a missing, an unknown or a wrong field."""
    for name in entry:
        if name not in ENTRY_FIELDS:
            raise ValueError(f'{field}.{name}={entry[name]!r}: unknown field; known are {", ".join(ENTRY_FIELDS)}')

    def check(name: str, is_right: bool, right: str) -> None:
        value = f'={entry[name]!r}' if name in entry else ' is missing'
        if not is_right:
            raise ValueError(f'{field}.{name}{value}: it must be {right}')

    size, flip = entry.get('image_size'), entry.get('flip', .5)
    check('data_root', isinstance(entry.get('data_root'), str), 'a folder')
    pair = scope == 'mmdet' and isinstance(size, (list, tuple)) and len(size) == 2 and all(map(_counts, size))
    check('image_size', _counts(size) or pair, 'a number of pixels' + (
        ', or two numbers (long side, short side)' if scope == 'mmdet' else ''))
    check('batch_size', _counts(entry.get('batch_size')), 'a whole number from 1')
    workers = entry.get('num_workers', 2)
    check('num_workers', _counts(workers) or workers == 0 and workers is not False, 'a whole number from 0')
    check('flip', isinstance(flip, (int, float)) and 0 <= flip <= 1, 'a share between 0 and 1')
    for part in PARTS:
        check(part, isinstance(entry.get(part, {}), Mapping),
              "the fields of the dataset, as in dict(data_prefix='train')")


def _counts(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
