"""The walk of docs/your_own_data.md on a user's few lines: search, retrain, test and export on data of one's own.

Class names, numbers of classes, channels and schedules are nowhere stated.
"""
import math
import re

import pytest
from mmengine.config import Config

from helpers import tiny_run as tiny
from helpers.scopes import own_scope
from imtnas_mm.checkpoint import read_checkpoint
from imtnas_mm.datasets import DataError
from imtnas_mm.engine.launch.config import merge_options
from imtnas_mm.engine.launch.mm_tools import config_for

no_pictures = tiny.no_pictures
SCALE = dict(stem_stride=2, strides=tiny.LAYOUT['strides'])
ANCHORS = dict(anchor_generator=dict(octave_base_scale=2, scales_per_octave=1, strides=[2, 4, 4, 8, 16]))
NECK = dict(out_channels=8)
HEAD = dict(ANCHORS, stacked_convs=1, feat_channels=8)
DETECTOR = dict(neck=NECK, bbox_head=HEAD, test_cfg=dict(score_thr=.001))  # it has hardly learnt
PAGE = tiny.ROOT / 'docs' / 'your_own_data.md'


@pytest.fixture(scope='module')
def folder(data, tmp_path_factory):
    """A user's folder: data.py, and a config per run, which inherit it."""
    folder = tmp_path_factory.mktemp('user')
    entry = dict(image_size=tiny.SIZE, num_workers=0)
    tiny.write_config(folder / 'data.py', None, task_data=dict(
        cls=dict(entry, data_root=str(data / 'imagenet'), batch_size=4),
        det=dict(entry, data_root=str(data / 'coco'), batch_size=2)))
    configs = dict(
        search=dict(
            model=dict(
                search_space=tiny.SPACE, hypergradient='first_order', transfer=dict(
                    num_examples=4, num_augmentations=4, image_size=16),
                tasks=dict(cls=dict(model=dict(head=dict(hidden_channels=16))),
                           det=dict(model=DETECTOR))),
            train_cfg=dict(rounds=1, max_epochs=2, epoch_length=1, val_interval=2)),
        classifier=dict(
            model=dict(backbone=SCALE, head=dict(hidden_channels=16)), train_cfg=dict(max_epochs=2)),
        detector=dict(
            model=dict(backbone=dict(init_cfg=dict(checkpoint=str(folder / 'classifier' / 'epoch_2.pth')), **SCALE),
                       **DETECTOR), train_cfg=dict(max_epochs=2)))
    for name, fields in configs.items():
        lines = [f'{key} = {value!r}' for key, value in fields.items()]
        base = str(tiny.ROOT / 'configs' / 'custom_data' / f'{name}.py')
        (folder / f'{name}.py').write_text('\n'.join([f'_base_ = [{base!r}, "data.py"]', *lines]) + '\n')
    return folder


def run(tool, folder, name, *args, options=()):
    tiny.run(tool, folder / f'{name}.py', *args, '--work-dir', folder / name, options=options)


@pytest.fixture(scope='module')
def walk(folder):
    """The runs, one after the other."""
    run('train', folder, 'search')
    run('train', folder, 'classifier', '--architecture', folder / 'search' / 'architecture.json')
    run('train', folder, 'detector')  # its architecture is that of the classifier
    return folder


def test_the_search_knows_its_classes_and_channels(walk):
    saved = read_checkpoint(str(walk / 'search' / 'epoch_2.pth'))
    written = Config.fromfile(walk / 'search' / 'search.py')
    for cfg in (written, Config.fromstring(saved['meta']['cfg'], '.py')):
        cls, det = (cfg.model.tasks[task].model for task in ('cls', 'det'))
        assert cls.data_preprocessor.num_classes == cls.head.num_classes == det.bbox_head.num_classes == 3
        assert (cls.head.in_channels, det.neck.in_channels, det.bbox_head.in_channels) == (32, [8, 16, 32], 8)
        assert cfg.train_dataloader.det.dataset.metainfo.classes == tiny.CLASSES
        assert 'task_data' not in cfg
    assert 'cls/accuracy/top1' in tiny.log_text(walk / 'search') and 'det/coco/bbox_mAP' in tiny.log_text(
        walk / 'search')


@pytest.mark.parametrize('name, metric, classes', [
    ('classifier', 'accuracy/top1', ('head', )), ('detector', 'coco/bbox_mAP', ('bbox_head', ))])
def test_tests_and_exports(walk, tmp_path, name, metric, classes):
    checkpoint = walk / name / 'epoch_2.pth'
    tiny.run('test', walk / f'{name}.py', checkpoint, '--work-dir', tmp_path / 'test')
    assert metric in tiny.tested(tmp_path / 'test')
    with own_scope():
        tiny.tool('export').main([str(checkpoint), str(tmp_path / 'network.pth')])
    beside = Config.fromfile(tmp_path / 'network.pth.py')
    assert beside.model[classes[0]].num_classes == 3 and beside.model.backbone.architecture.space == 'mbconv'
    assert read_checkpoint(str(tmp_path / 'network.pth'))['meta']['dataset_meta']['classes'] == tiny.CLASSES


def test_the_data_of_a_test_suffice_to_test(walk, tmp_path):
    """The training data may be elsewhere."""
    tiny.run('test', walk / 'detector.py', walk / 'detector' / 'epoch_2.pth', '--work-dir', tmp_path,
             options=['task_data.det.train.ann_file=gone.json'])
    assert 'coco/bbox_mAP' in tiny.tested(tmp_path)


def test_the_libraries_tools_get_whole_configs(walk):
    detector, _ = config_for('get_flops', str(walk / 'detector.py'), None, None)
    assert detector.model.neck.in_channels == [8, 16, 32] and detector.model.bbox_head.num_classes == 3
    printed, _ = config_for('print_config', str(walk / 'search.py'), None, None)
    assert 'task_data' not in printed and list(printed.train_dataloader) == ['cls', 'det']
    data, _ = config_for('browse_dataset', str(walk / 'search.py'), 'det', None)
    assert data.train_dataloader.dataset.metainfo.classes == tiny.CLASSES


def test_rates_fall_within_the_epochs(folder):
    """``lr (1 + cos(pi t / T)) / 2`` with the T iterations of however many epochs the search has."""
    runner = tiny.runner_of(folder / 'search.py', folder / 'rates', options=['train_cfg.max_epochs=3'])
    with own_scope():
        _ = runner.train_loop
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        scheduler, = runner.build_param_scheduler(runner.param_schedulers)['encoder']
        rates = []
        for _ in range(3):
            rates.append(runner.optim_wrapper['encoder'].get_lr()['lr'][0])
            runner.optim_wrapper['encoder'].step()
            scheduler.step()
    assert rates == pytest.approx([.02 * (1 + math.cos(math.pi * t / 3)) / 2 for t in range(3)])


def test_all_data_are_checked(folder, capsys):
    with own_scope():
        tiny.tool('check_data').main([str(folder / 'search.py')])
    table = [line.split()[:4] for line in capsys.readouterr().out.splitlines() if '.dataset ' in line]
    assert ['train_dataloader.det.dataset', 'CocoDataset', '8', '3'] in table and len(table) == 6


def test_data_are_missing(tmp_path):
    base = tiny.ROOT / 'configs' / 'custom_data'
    for name in ('search', 'classifier'):
        with pytest.raises(SystemExit, match=f'{name}.py: task_data is missing; it describes the data of each task'):
            tiny.loaded(tiny.write_config(tmp_path / f'{name}.py', base / f'{name}.py'))
    single = tiny.write_config(tmp_path / 'single.py', base / 'search.py', task_data=dict(det=dict(
        data_root='here', image_size=3, batch_size=3)))
    with pytest.raises(SystemExit, match=r"task_data\.cls is missing: the tasks are \['cls', 'det'\], and each needs"):
        tiny.loaded(single)
    tiny.loaded(single, '--cfg-options', 'model.type=SingleTask', "train_cfg.order=['det']")


@pytest.mark.parametrize('name, option, error, message', [
    ('search', 'model.tasks.det.model.bbox_head.num_classes=80', DataError, r'train_dataloader\.det\.dataset: has 3 '
     r"classes \(\['blue', 'green', 'red'\]\), but model\.tasks\.det\.model\.bbox_head\.num_classes=80"),
    ('classifier', 'model.head.num_classes=1000', DataError, r'train_dataloader\.dataset: has 3 classes .*, but '
     r'model\.head\.num_classes=1000'),
    ('detector', 'task_data.det.classes=[red,grey]', DataError, r'train_dataloader\.dataset\.metainfo\.classes: '
     r"\['grey'\] of 2 class names are not in '.*instances_train2017.json', whose categories are \['blue', 'green', "),
    ('classifier', 'task_data.cls.classes=[a,b]', DataError, r'train_dataloader\.dataset\.data_prefix: .* 3 class '
     'folders'),
    ('search', 'task_data.det.image_size=-1', SystemExit, r'search\.py: task_data\.det\.image_size=-1: it must be a '
     'number of pixels'),
])
def test_what_the_data_contradict(walk, tmp_path, name, option, error, message):
    with pytest.raises(error, match=message):
        tiny.run('train', walk / f'{name}.py', '--work-dir', tmp_path, *(
            ('--architecture', 'fairnas_c') if name == 'classifier' else ()), options=[option])


def test_the_page_states_no_more_than_25_lines(tmp_path):
    """The config files that the page shows, as they stand there, resolve; and they are short."""
    files = re.findall(r'`(\w+\.py)`:\n\n```python\n(.*?)```', PAGE.read_text(encoding='utf-8'), re.DOTALL)
    assert [name for name, _ in files] == ['data.py', 'search.py', 'classifier.py', 'detector.py']
    assert sum(len([line for line in text.splitlines() if line.strip()]) for _, text in files) <= 25
    (tmp_path / 'imtnas_mm').symlink_to(tiny.ROOT)
    mine = tmp_path / 'mine'
    mine.mkdir()
    for name, text in files:
        (mine / name).write_text(text)
    for name, _ in files[1:]:
        cfg = Config.fromfile(mine / name)
        merge_options(cfg, {})
        assert cfg.model and {'train_dataloader', 'val_evaluator', 'test_dataloader'} <= set(cfg)
