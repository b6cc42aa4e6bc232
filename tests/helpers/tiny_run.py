"""Runs of the tools small enough for a test: few generated images, narrow networks, iterations within a second."""
import contextlib
import copy
import importlib.util
import itertools
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from imtnas_mm.engine.launch import build_runner, load_config
from imtnas_mm.genotype import published_genotype
from imtnas_mm.spaces.mbconv.layout import mbconv_blocks

from .scopes import own_scope

ROOT = Path(__file__).parents[2]
COLOURS = dict(red=(40, 40, 220), green=(40, 220, 40), blue=(220, 40, 40))  # the classes; in OpenCV's order
CLASSES = tuple(sorted(COLOURS))  # as the folders sort
SIZE = 32  # of single images and of scenes


# --- data ------------------------------------------------------------------------------------------------------------


def square(image, rng, colour, size):
    """Paint one; returns its box [x, y, width, height]."""
    left, top = (int(v) for v in rng.integers(0, SIZE - size + 1, 2))
    image[top:top + size, left:left + size] = colour
    return [left, top, size, size]


def background(rng):
    return rng.integers(90, 140, (SIZE, SIZE, 3)).astype(np.uint8)


def write_data(root, train=8, val=4):
    """Coloured squares in ImageNet's folders (``root/imagenet``) and as COCO scenes (``root/coco``)."""
    rng = np.random.default_rng(0)
    for part, number in dict(train=train, val=val).items():
        for name in CLASSES:
            folder = root / 'imagenet' / part / name
            folder.mkdir(parents=True)
            for i in range(number):
                image = background(rng)
                square(image, rng, COLOURS[name], int(rng.integers(10, 20)))
                cv2.imwrite(str(folder / f'{name}{i}.png'), image)
        folder = root / 'coco' / f'{part}2017'
        folder.mkdir(parents=True)
        images, annotations = [], []
        for i in range(number):
            image = background(rng)
            for label in rng.integers(0, 3, 2):
                box = square(image, rng, COLOURS[CLASSES[label]], int(rng.integers(8, 14)))
                annotations.append(
                    dict(id=len(annotations) + 1, image_id=i + 1, category_id=int(label) + 1, bbox=box,
                         area=box[2] * box[3], iscrowd=0))
            cv2.imwrite(str(folder / f'{i}.png'), image)
            images.append(dict(id=i + 1, file_name=f'{i}.png', height=SIZE, width=SIZE))
        categories = [dict(id=k + 1, name=name) for k, name in enumerate(CLASSES)]
        (root / 'coco' / 'annotations').mkdir(exist_ok=True)
        annotation_file(root, part).write_text(
            json.dumps(dict(images=images, annotations=annotations, categories=categories)))
    return root


def annotation_file(root, part):
    return root / 'coco' / 'annotations' / f'instances_{part}2017.json'


LOAD = dict(type='LoadImageFromFile')
BOXES = dict(type='LoadAnnotations', with_bbox=True)
DET_TRAIN = [LOAD, BOXES, dict(type='RandomFlip', prob=.5), dict(type='PackDetInputs')]
DET_TEST = [
    LOAD, dict(type='Resize', scale=(SIZE, SIZE), keep_ratio=True), BOXES,
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))
]
CLS = [LOAD, dict(type='PackInputs')]


def loader(dataset, batch_size, **options):
    return dict(batch_size=batch_size, num_workers=0, persistent_workers=False, dataset=dataset, **options)


def cls_loader(root, part, batch_size=4):
    dataset = dict(type='CustomDataset', data_root=f'{root}/imagenet', data_prefix=part, pipeline=CLS)
    return loader(dataset, batch_size, sampler=dict(type='DefaultSampler', shuffle=part == 'train'))


def det_loader(root, part, batch_size=2):
    test = part == 'val'
    dataset = dict(
        type='CocoDataset', data_root=f'{root}/coco/', ann_file=f'annotations/instances_{part}2017.json',
        data_prefix=dict(img=f'{part}2017/'), metainfo=dict(classes=CLASSES), test_mode=test,
        pipeline=DET_TEST if test else DET_TRAIN)
    return loader(dataset, batch_size, sampler=dict(type='DefaultSampler', shuffle=not test))


def coco_metric(root):
    return dict(type='CocoMetric', ann_file=str(annotation_file(root, 'val')), metric='bbox')


# --- configs ---------------------------------------------------------------------------------------------------------

SCALE = dict(width_mult=.1, stem_stride=2, strides=(1, 1, 2, 1, 1, 1))  # of a derived network of fairnas19
CHANNELS = (8, 8, 8, 16, 24, 32)  # of its stages; strides 2, 2, 4, 4, 4, 4
# of a search: as many stages, and fewer layers and candidates
LAYOUT = dict(
    name='seven layers', widths=CHANNELS, depths=(2, 1, 1, 1, 1, 1), strides=SCALE['strides'], stem_width=8,
    first_width=8, candidates=tuple(dict(kernel=k, expansion=e) for k, e in ((3, 3), (3, 6), (5, 3))))
SPACE = dict(type='MBConvSupernet', layout=dict(LAYOUT, _delete_=True), width_mult=1., stem_stride=2,
             strides=LAYOUT['strides'], estimator='two_path')
NORMALISATION = dict(mean=[115., 115., 115.], std=[60., 60., 60.])
CLASSIFIER = dict(
    type='ImageClassifier',
    data_preprocessor=dict(NORMALISATION, num_classes=3, to_rgb=True),
    head=dict(
        type='imtnas_mm.ImageNetHead', num_classes=3, in_channels=32, hidden_channels=16, topk=(1, 2),
        norm_cfg=dict(type='BN', affine=False, track_running_stats=False)))
DETECTOR = dict(
    type='RetinaNet',
    data_preprocessor=dict(NORMALISATION, type='DetDataPreprocessor', bgr_to_rgb=True, pad_size_divisor=8),
    neck=dict(type='FPN', in_channels=[8, 32], out_channels=8, num_outs=2),
    bbox_head=dict(
        type='RetinaHead',
        num_classes=3,
        in_channels=8,
        stacked_convs=1,
        feat_channels=8,
        anchor_generator=dict(
            type='AnchorGenerator', octave_base_scale=2, scales_per_octave=1, ratios=[1.], strides=[4, 4]),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2., alpha=.25),
        loss_bbox=dict(type='L1Loss')),
    train_cfg=dict(
        assigner=dict(type='MaxIoUAssigner', pos_iou_thr=.5, neg_iou_thr=.4, min_pos_iou=0, ignore_iof_thr=-1),
        sampler=dict(type='PseudoSampler'),
        allowed_border=-1,
        pos_weight=-1,
        debug=False),
    test_cfg=dict(nms_pre=50, min_bbox_size=0, score_thr=.001, nms=dict(type='nms', iou_threshold=.5), max_per_img=10))
TASKS = dict(
    cls=dict(type='ClassificationTask', model=CLASSIFIER),
    det=dict(type='DetectionTask', model=DETECTOR, backbone=dict(out_indices=(2, 5))))


def replaced(**options):
    """A dict that takes the place of the inherited one."""
    return dict(options, _delete_=True)


def write_config(path, base, **fields):
    """A config file that inherits ``base`` (a path in configs/) and sets the fields."""
    lines = [f'_base_ = [{str(ROOT / "configs" / base)!r}]'] if base else []
    path.write_text('\n'.join(lines + [f'{name} = {value!r}' for name, value in fields.items()]) + '\n')
    return path


def search_fields(root, order=('cls', 'det'), **train_cfg):
    """The fields that make ``configs/imtnas_demo.py`` tiny. A name in ``order`` is a kind of task, with or without a
    number: cls2."""
    kinds = {name: name.rstrip('0123456789') for name in order}
    loaders = dict(cls=cls_loader, det=det_loader)
    metrics = dict(cls=dict(type='Accuracy', topk=(1, 2)), det=coco_metric(root))
    val_loaders = replaced(**{name: loaders[kind](root, 'val') for name, kind in kinds.items()})
    evaluators = replaced(**{name: metrics[kind] for name, kind in kinds.items()})
    cosine = dict(type='CosineAnnealingLR', T_max=2, by_epoch=True, convert_to_iter_based=True)
    return dict(
        model=dict(
            search_space=dict(SPACE),
            hypergradient='first_order',
            transfer=dict(num_examples=4, num_augmentations=4, image_size=16),
            tasks=replaced(**{name: TASKS[kind] for name, kind in kinds.items()})),
        train_dataloader=replaced(**{name: loaders[kind](root, 'train') for name, kind in kinds.items()}),
        val_dataloader=val_loaders,
        test_dataloader=val_loaders,
        val_evaluator=evaluators,
        test_evaluator=evaluators,
        train_cfg=dict(
            dict(rounds=2, order=tuple(order), max_epochs=1, epoch_length=2, warmup_epochs=0, val_begin=1,
                 val_interval=1), **train_cfg),
        optim_wrapper=dict(
            encoder=dict(optimizer=dict(lr=.02)),
            head=dict(optimizer=dict(lr=.02)),
            architecture=dict(optimizer=dict(lr=5e-4))),
        param_scheduler=replaced(encoder=[cosine], head=[cosine]),
        default_hooks=dict(logger=dict(interval=1), architecture=dict(interval=1)),
        log_processor=dict(window_size=1))


def retrain_fields(root, task='det', architecture='fairnas_c', epochs=1, **fields):
    """An ordinary config of mmdet (``det``) or mmpretrain (``cls``) with a derived backbone."""
    backbone = dict(
        type='imtnas_mm.MBConvNet', architecture=architecture, out_indices=(2, 5) if task == 'det' else (5, ),
        norm_cfg=dict(type='BN', momentum=.5), **SCALE)  # few iterations, so that running means must follow fast
    scope, model, loader, metric, prefix = dict(
        det=('mmdet', DETECTOR, det_loader, coco_metric(root), 'Det'),
        cls=('mmpretrain', CLASSIFIER, cls_loader, dict(type='Accuracy', topk=(1, 2)), ''))[task]
    val_loader = loader(root, 'val')
    return dict(
        default_scope=scope,
        custom_imports=dict(imports=['imtnas_mm'], allow_failed_imports=False),
        model=dict(model, backbone=backbone),
        train_dataloader=loader(root, 'train'),
        val_dataloader=val_loader,
        test_dataloader=val_loader,
        val_evaluator=metric,
        test_evaluator=metric,
        train_cfg=dict(type='imtnas_mm.RetrainLoop', max_epochs=epochs, val_interval=1),
        val_cfg=dict(),
        test_cfg=dict(),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=.003)),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1),
            checkpoint=dict(type='imtnas_mm.AtomicCheckpointHook', interval=1),
            visualization=dict(type=f'{prefix}VisualizationHook')),
        visualizer=dict(
            type='DetLocalVisualizer' if task == 'det' else 'UniversalVisualizer',
            vis_backends=[dict(type='LocalVisBackend')],
            name='visualizer'),
        randomness=dict(seed=0),
        **fields)


def short_architecture():
    """An architecture with one layer per stage, whose network is traced within seconds."""
    genotype = published_genotype('fairnas_smallest')
    layers = [choice if i in (0, 2, 6, 10, 14, 18) else 'identity'
              for i, choice in enumerate(genotype.architecture['layers'])]
    return replace(genotype, architecture=dict(layers=layers))


def shared_architecture(tasks, rows, name='fairnas_smallest'):
    """A published architecture of whose blocks the tasks share what ``rows`` says: block's number -> copies."""
    cells = ['stem', *(f'cell{i + 1}' for i in range(5 if name.startswith('nasbench201') else 4))]
    blocks = mbconv_blocks('fairnas19') if name.startswith('fairnas') else cells
    sharing = dict(method='branching', tasks=list(tasks),
                   blocks={block: list(rows(i)) for i, block in enumerate(blocks)})
    return replace(published_genotype(name), sharing=sharing)


def joint_model(order=('cls', 'det'), rows=None, **options):
    """Config of a joint model; ``rows`` as of :func:`shared_architecture`, by default the first ten blocks are shared
    by all."""
    rows = rows or (lambda i: [0] * len(order) if i < 10 else range(len(order)))
    kinds = {name: name.rstrip('0123456789') for name in order}
    backbone = dict(
        architecture=shared_architecture(order, rows).to_dict(), norm_cfg=dict(type='BN', momentum=.5), **SCALE)
    return copy.deepcopy(dict(
        dict(type='JointModel', backbone=backbone, tasks={name: TASKS[kind] for name, kind in kinds.items()}),
        **options))


def short_joint_model(order):
    """:func:`joint_model` with one layer per stage."""
    model = joint_model(order)
    model['backbone']['architecture']['architecture'] = short_architecture().architecture
    return model


def joint_fields(root, order=('cls', 'det'), model=None, **train_cfg):
    """A joint training over ``configs/_base_/joint_runtime.py``, by default of :func:`short_joint_model`."""
    kinds = {name: name.rstrip('0123456789') for name in order}
    loaders, metrics = dict(cls=cls_loader, det=det_loader), dict(
        cls=dict(type='Accuracy', topk=(1, 2)), det=coco_metric(root))
    val_loaders = {name: loaders[kind](root, 'val') for name, kind in kinds.items()}
    evaluators = {name: metrics[kind] for name, kind in kinds.items()}
    return dict(
        model=short_joint_model(order) if model is None else model,
        train_dataloader={name: loaders[kind](root, 'train') for name, kind in kinds.items()},
        val_dataloader=val_loaders,
        test_dataloader=val_loaders,
        val_evaluator=evaluators,
        test_evaluator=evaluators,
        train_cfg=dict(dict(type='JointTrainLoop', max_epochs=1, epoch_length=2), **train_cfg),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=.02, momentum=.9)),
        param_scheduler=[dict(type='CosineAnnealingLR', T_max=2, by_epoch=True, convert_to_iter_based=True)],
        default_hooks=dict(logger=dict(interval=1)),
        log_processor=dict(window_size=1))


# --- running the tools and reading what they leave -------------------------------------------------------------------


def tool(name, folder='tools'):
    spec = importlib.util.spec_from_file_location(f'tool_{name}', ROOT / folder / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_runs = itertools.count()


def arguments(config, *args, options=()):
    """mmengine keeps loggers, scopes and visualizers by name, with whole seconds in it at best: each run of a process
    needs another name."""
    name = f'run{next(_runs)}'
    names = (f'experiment_name={name}', f'visualizer.name={name}')
    return [str(arg) for arg in (config, *args, '--cfg-options', *names, *options)]


def run(name, config, *args, options=()):
    """``main`` of a tool."""
    with own_scope():
        tool(name).main(arguments(config, *args, options=options))


def runner_of(config, work_dir, *args, options=()):
    """The runner that tools/train.py would start."""
    return build_runner(loaded(*arguments(config, '--work-dir', work_dir, *args, options=options)))


def loaded(*args):
    """The config that tools/train.py would run."""
    return load_config(tool('train').parse_args([str(arg) for arg in args]))


def scalars(work_dir):
    """The logged lines of the latest run in a work dir."""
    files = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    return [json.loads(line) for line in files[-1].read_text().splitlines()]


def logged(work_dir, key):
    """The values of a figure in the order they were logged."""
    return [line[key] for line in scalars(work_dir) if key in line]


def log_text(work_dir):
    return sorted(Path(work_dir).glob('*/*.log'))[-1].read_text()


def tested(work_dir):
    """The metrics that tools/test.py wrote."""
    files = [f for f in sorted(Path(work_dir).glob('*/*.json')) if f.parent.name == f.stem]
    return json.loads(files[-1].read_text())


def checkpoint(path):
    return torch.load(path, map_location='cpu', weights_only=False)


# --- fixtures, for the conftest.py of the folders that run tools -----------------------------------------------------


@contextlib.contextmanager
def quick():
    """Without what would take most of a tiny run's time: configs formatted by yapf, and a garbage collection by
    mmengine for each dataset."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmengine.dataset.base_dataset.gc', SimpleNamespace(collect=lambda: None))
        patch.setattr('yapf.yapflib.yapf_api.FormatCode', lambda text, **_: (text, True))
        yield


@contextlib.contextmanager
def undrawn():
    """Searches draw no pictures and write no page, which take longer than an iteration."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('imtnas_mm.engine.hooks.report_hook.write_report', lambda folder: None)
        patch.setattr('imtnas_mm.engine.hooks.architecture_hook.draw_genotype', lambda *args, **options: ())
        yield


@pytest.fixture(scope='session', autouse=True)
def quick_runs():
    with quick():
        yield


@pytest.fixture(scope='module', autouse=True)
def no_pictures():
    """For a test file to import."""
    with undrawn():
        yield


@pytest.fixture(scope='session')
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp('data'))
