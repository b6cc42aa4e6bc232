"""Turns the config of a search or a retraining into its rehearsal: noise in the place of images, no weights to load."""
import copy
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import DATASETS

from ...compat.datasets import without_notes_on_imports
from ...config.inference import without_weights
from ...config.task_data import META_KEYS, PARTS
from ...datasets import is_validation_part
from ...tasks.joint_model import task_scope

with without_notes_on_imports():
    from mmdet.datasets import CocoDataset
    from mmpretrain.datasets import CIFAR10, ImageNet

BATCHES = 2  # of a validation or a test: the first may compile kernels, and the second is timed
CIFAR_SIDE = 32
IMAGENET_SIZE = 375, 500  # height and width of most images
COCO_SIZE = 480, 640
COCO_BOXES = 7  # of an image, on average
CIFAR_LENGTHS = dict(train=50_000, test=10_000)
IMAGENET_LENGTHS = dict(train=1_281_167, val=50_000)
COCO_LENGTHS = dict(train2017=118_287, val2017=5000)
COCO_WITH_BOXES = 117_266  # of train2017, with filter_empty_gt


def rehearsal_config(cfg: Config) -> Config:
    """The config of a rehearsal; everything that decides on time and memory is as in ``cfg``, which is not changed.

    - Datasets of CIFAR, ImageNet and COCO become a
      :class:`~imtnas_mm.datasets.SyntheticDataset` of their length, with
      images of their size and their classes, for the same pipeline. Splits,
      slices and D^val are those of the config.
    - This process makes the examples, and no worker of a dataloader.
    - Validations and tests take their first ``BATCHES`` batches.
    - A CocoMetric takes the boxes of the images that it sees. Detectors keep
      boxes of any score: untrained ones would have none to evaluate.
    - No checkpoint, pretrained weights or table is read.
    - The figures of each iteration are logged.

    Args:
        cfg (Config): resolved, of a search, a retraining or a joint retraining.

    Raises:
        ValueError: a dataset or a step of a pipeline that has no synthetic counterpart; it names the field.
    """
    changed = copy.deepcopy(cfg)
    changed.model = ConfigDict(without_weights(_plain(changed.model)))
    _keep_all_boxes(changed.model)
    changed.load_from, changed.resume, changed.launcher = None, False, 'none'
    changed.pop('table', None)
    if 'logger' in changed.get('default_hooks', {}):
        changed.default_hooks.logger.interval = 1
    for part in PARTS:
        loaders: Any = changed.get(f'{part}_dataloader')
        if not loaders:
            continue
        for field, scope, loader in _each(f'{part}_dataloader', loaders, changed):
            if 'dataset' in loader:  # the loops report a missing one
                loader.dataset = ConfigDict(_dataset(loader.dataset, scope, f'{field}.dataset'))
            loader.num_workers = 0
            for key in ('persistent_workers', 'prefetch_factor'):
                loader.pop(key, None)
            if part != 'train':
                loader.pop('batch_sampler', None)
                loader.sampler = ConfigDict(
                    type='imtnas_mm.FirstExamples', number=BATCHES * loader.get('batch_size', 1))
                _pack_boxes(loader)
        evaluators: Any = changed.get(f'{part}_evaluator')
        if evaluators:
            _take_boxes_seen(evaluators)
    return changed


def _plain(value: Any) -> Any:
    return value.to_dict() if isinstance(value, Config | ConfigDict) else value


def _each(field: str, loaders: Any, cfg: Config) -> list[tuple[str, str | None, Any]]:
    """(field, library of its names, dataloader) of all dataloaders: one, or one per task."""
    if 'dataset' in loaders or 'tasks' not in cfg.model:
        return [(field, cfg.get('default_scope', 'mmengine'), loaders)]
    return [(f'{field}.{task}', task_scope(task, cfg.model.tasks[task]) if task in cfg.model.tasks else None, loader)
            for task, loader in loaders.items()]


def _dataset(cfg: Mapping[str, Any], scope: str | None, field: str) -> dict[str, Any]:
    """The config of a dataset, inside wrappers, too."""
    if 'dataset' in cfg:
        return dict(cfg, dataset=_dataset(cfg['dataset'], scope, f'{field}.dataset'))
    if 'datasets' in cfg:
        return dict(cfg, datasets=[
            _dataset(member, scope, f'{field}.datasets[{i}]') for i, member in enumerate(cfg['datasets'])])
    pipeline = _without_files(list(cfg.get('pipeline', ())), f'{field}.pipeline')
    if is_validation_part(dict(cfg)):
        return dict(cfg, pipeline=pipeline)
    with DATASETS.switch_scope_and_registry(scope) as registry:
        kind: Any = registry.get(cfg['type']) if isinstance(cfg.get('type'), str) else cfg.get('type')
    options: dict[str, Any] = dict(type='imtnas_mm.SyntheticDataset', pipeline=pipeline, **_images_of(cfg, kind, field))
    classes = {} if cfg.get('classes') is None else dict(classes=cfg['classes'])
    options['metainfo'] = {**kind.METAINFO, **(_plain(cfg.get('metainfo')) or {}), **classes}
    names = options['metainfo'].get('classes', ())
    if names is None or isinstance(names, str):  # None: those of the annotation file
        raise ValueError(f'{field}.metainfo.classes: {names!r}; a rehearsal reads no file; list the names')
    if 'test_mode' in cfg:
        options['test_mode'] = cfg['test_mode']
    return options


def _images_of(cfg: Mapping[str, Any], kind: Any, field: str) -> dict[str, Any]:
    """Number, size and kind of the images of a dataset."""
    if isinstance(kind, type) and issubclass(kind, CIFAR10):
        side = cfg.get('image_size', CIFAR_SIDE)
        length = _length(cfg, field, CIFAR_LENGTHS, cfg.get('split', 'train'))
        return dict(length=length, image_size=(side, side), stored=True)
    if isinstance(kind, type) and issubclass(kind, ImageNet):
        prefix = cfg.get('data_prefix') or ''
        prefix = prefix if isinstance(prefix, str) else prefix.get('img_path', '')
        return dict(length=_length(cfg, field, IMAGENET_LENGTHS, cfg.get('split') or prefix, cfg.get('ann_file', '')),
                    image_size=IMAGENET_SIZE)
    if isinstance(kind, type) and issubclass(kind, CocoDataset):
        length = _length(cfg, field, COCO_LENGTHS, cfg.get('ann_file', ''))
        if length == COCO_LENGTHS['train2017'] and (cfg.get('filter_cfg') or {}).get('filter_empty_gt'):
            length = COCO_WITH_BOXES
        return dict(length=length, image_size=COCO_SIZE, boxes=COCO_BOXES)
    raise ValueError(f'{field}.type: {cfg.get("type")!r}; a rehearsal knows the number of images of CIFAR10, CIFAR100, '
                     'ImageNet and CocoDataset')


def _length(cfg: Mapping[str, Any], field: str, lengths: Mapping[str, int], *texts: str) -> int:
    for name, length in lengths.items():
        if any(name in text for text in texts):
            return length
    raise ValueError(f'{field}: {cfg.get("type")} with {" and ".join(map(repr, texts))}; a rehearsal knows the number '
                     f'of images of {" and ".join(lengths)}')


def _without_files(value: Any, field: str) -> Any:
    """A pipeline whose images come from no file; annotations come with each example."""
    if isinstance(value, list | tuple):
        return type(value)(_without_files(item, f'{field}[{i}]') for i, item in enumerate(value))
    if not isinstance(value, dict):
        return value
    name = str(value.get('type')).rpartition('.')[2]
    if name == 'LoadImageFromFile':
        return dict(type='imtnas_mm.LoadImageFromNoise', to_float32=value.get('to_float32', False))
    if name.startswith('Load') and (name != 'LoadAnnotations' or value.get('with_mask') or value.get('with_seg')):
        raise ValueError(f'{field}: {name} reads data that a rehearsal lacks; it makes images, labels and boxes')
    return {key: _without_files(item, f'{field}.{key}') for key, item in value.items()}


def _pack_boxes(loader: Any) -> None:
    """Test images of a detector carry their boxes, as CocoMetric without a file needs."""
    for step in (loader.get('dataset') or {}).get('pipeline', ()):
        if str(step.get('type')).rpartition('.')[2] == 'PackDetInputs':
            keys = step.get('meta_keys', (*META_KEYS, 'flip', 'flip_direction'))
            step['meta_keys'] = tuple(dict.fromkeys((*keys, 'instances')))


def _take_boxes_seen(value: Any) -> None:
    if isinstance(value, list | tuple):
        for item in value:
            _take_boxes_seen(item)
    elif isinstance(value, dict):
        if str(value.get('type')).rpartition('.')[2] == 'CocoMetric':
            value['ann_file'] = None
        for item in value.values():
            _take_boxes_seen(item)


def _keep_all_boxes(value: Any) -> None:
    if isinstance(value, list | tuple):
        for item in value:
            _keep_all_boxes(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == 'score_thr':
                value[key] = 0.
            _keep_all_boxes(item)
