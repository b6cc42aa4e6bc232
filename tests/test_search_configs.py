"""Every config of a search: its model builds, and the numbers are the paper's."""
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

from helpers.model_index import check_metadata
from imtnas_mm.analysis.complexity import count_parameters
from imtnas_mm.config.single_task import restrict_to_task
from imtnas_mm.datasets import Split, splits_of
from imtnas_mm.engine.launch.phases import check_phases, phase_config
from imtnas_mm.engine.launch.total_batch import other_batches
from imtnas_mm.registry import MODELS
from imtnas_mm.spaces.cells.layout import CELLS, EDGES, OPERATIONS

FOLDER = Path(__file__).parents[1] / 'configs'
TWINS = sorted(path.stem for path in FOLDER.glob('*_joint*.py'))  # in the second setting
CONFIGS = sorted(path.stem for path in FOLDER.glob('*.py') if path.stem not in TWINS)


def load(name):
    cfg = Config.fromfile(FOLDER / f'{name}.py')
    import_modules_from_strings(**cfg.custom_imports)
    return cfg


def build(cfg):
    return MODELS.build(dict(cfg.model, rounds=cfg.train_cfg.rounds, order=cfg.train_cfg.order))


def phases_of(cfg):
    """The configs of its phases, the candidates of each as the last might have left them; itself if it has none."""
    if 'phases' not in cfg:
        return [cfg]
    check_phases(cfg)
    actual, records = [], []
    for phase in cfg.phases:
        actual.append(phase_config(cfg, phase, 'work_dirs/phase', records))
        records.append(dict(kept={kind: [list(OPERATIONS[:phase['keep']])] * len(EDGES) for kind in CELLS}))
    return actual


@pytest.mark.parametrize('name', CONFIGS)
def test_builds_and_is_as_listed(name):
    cfg = load(name)
    check_metadata(FOLDER / f'{name}.py', cfg)
    for part in phases_of(cfg):
        model = build(part)
        assert set(part.train_dataloader) == set(part.val_dataloader) == set(part.val_evaluator) == set(model.order)
        assert model.space.alpha_shapes()


@pytest.mark.parametrize('name', CONFIGS)
def test_images_that_lie_by_class_are_validated_in_random_order(name):
    """The search network normalises by the statistics of a batch, which must not be of one class."""
    cfg = load(name)
    for task, options in (*cfg.val_dataloader.items(), *cfg.test_dataloader.items()):
        if cfg.train_dataloader[task].dataset.type in ('ImageNet', 'CustomDataset'):
            assert options.sampler.shuffle and options.sampler.seed == 0


def test_the_second_setting_is_the_weight_of_the_task_alone():
    assert len(TWINS) == 10
    for name in TWINS:
        twin, cfg = load(name), load(name.replace('_joint', ''))
        assert cfg.model.encoder_task_weight == 0 and twin.model.encoder_task_weight == 1
        cfg.model.encoder_task_weight = twin.model.encoder_task_weight
        assert twin.to_dict() == cfg.to_dict()
        check_metadata(FOLDER / f'{name}.py', twin)


@pytest.mark.parametrize('name, space, minimum, frozen', [
    ('darts', 'DARTSSupernet', .001, 0),
    ('pdarts', 'PDARTSSupernet', .001, 10),
    ('pcdarts', 'PCDARTSSupernet', 0., 15),
    ('prdarts', 'PRDARTSSupernet', 0., 0),
])
def test_tables_24_to_27(name, space, minimum, frozen):
    cfg = load(f'imtnas_cifar_{name}')
    assert cfg.model.search_space.type == space and cfg.model.search_space.channels == 16
    train = cfg.train_cfg
    assert (train.rounds, tuple(train.order), train.max_epochs, train.warmup_epochs) == (2, ('c10', 'c100'), 50, frozen)
    assert train.split.ratio == .5
    assert [loader.batch_size for loader in cfg.train_dataloader.values()] == [64, 64]
    for part in ('encoder', 'head'):
        assert cfg.optim_wrapper[part] == dict(
            optimizer=dict(type='SGD', lr=.025, momentum=.9, weight_decay=3e-4),
            clip_grad=dict(max_norm=5., norm_type=2))
        scheduler, = cfg.param_scheduler[part]
        assert (scheduler.type, scheduler.eta_min) == ('CosineAnnealingLR', minimum)
    assert 'architecture' not in cfg.param_scheduler
    assert cfg.optim_wrapper.architecture.optimizer == dict(type='Adam', lr=3e-4, betas=(.5, .999), weight_decay=1e-3)
    transfer = cfg.model.transfer
    assert (transfer.num_examples, transfer.num_augmentations, transfer.threshold, transfer.kernel_scale) == (
        20, 20, 5., .1)
    if name != 'pdarts':
        assert cfg.model.search_space.layers == 8


def test_spaces_and_hypernetwork():
    """PC-DARTS's part, E.4's lambdas, and the units of the hypernetwork; PR-DARTS's config names its temperature."""
    pcdarts, prdarts = (load(f'imtnas_cifar_{name}').model.search_space for name in ('pcdarts', 'prdarts'))
    assert build(load('imtnas_cifar_pcdarts')).space.part == 4 and pcdarts.get('part', 4) == 4
    assert prdarts.regularization == (.01, .005, .005) and prdarts.temperature == (1., .1)
    for name in ('imtnas_cifar_darts', 'imtnas_cls_det', 'imtnas_three_tasks'):
        sizes = {tuple(p.shape) for p in build(load(name)).encoder_weights.parameters()}
        assert (50, 30) in sizes and (100, 50) in sizes  # layers of 30, 50 and 100 units


def test_the_other_reading_of_e1(tmp_path):
    """The rate of A by a cosine, as the config's text says."""
    line = next(line for line in (FOLDER / 'imtnas_cifar_darts.py').read_text().splitlines()
                if line.lstrip().startswith('param_scheduler = '))
    (tmp_path / 'other.py').write_text(f"_base_ = ['{FOLDER}/imtnas_cifar_darts.py']\n{line.lstrip()}\n")
    schedulers = Config.fromfile(tmp_path / 'other.py').param_scheduler
    assert [part.type for part in schedulers.architecture] == ['CosineAnnealingLR'] and len(schedulers) == 3


def test_phases_of_pdarts():
    cfg = load('imtnas_cifar_pdarts')
    models = [build(part) for part in phases_of(cfg)]
    assert [len(model.space.cells) for model in models] == [5, 11, 17]
    assert [model.space.alpha_shapes()['normal'] for model in models] == [(14, 8), (14, 5), (14, 3)]
    assert [phase['keep'] for phase in cfg.phases] == [5, 3, None]
    dropout = [[model.tasks[name].space.initial_skip_dropout for model in models] for name in ('c10', 'c100')]
    assert dropout == [[0., .4, .7], [.1, .2, .3]]  # paper E.3
    assert cfg.model.search_space.skip_limit == 2


def test_three_tasks():
    model = build(load('imtnas_three_tasks'))
    assert model.order == ('c100', 'c10', 'imagenet') and model.rounds == 2
    assert [task.space.stem[0][0].stride for task in model.tasks.values()] == [(1, 1), (1, 1), (2, 2)]
    assert count_parameters(model.heads['imagenet'][0]) == 257_000


def test_the_papers_batches_of_two_tasks():
    """4.3.1 has 1024 images of ImageNet and 12 of COCO; by default they are 16 on 8 GPUs, and 12 by the command that
    the config of the data has."""
    cfg = load('imtnas_cls_det')
    assert other_batches(cfg, 8) == []
    text = (FOLDER / '_base_' / 'datasets' / 'imagenet_coco_search.py').read_text()
    command = re.search(r'dist_train.sh configs/imtnas_cls_det.py 4 --cfg-options ((?:\S+=\d+[\s\\]+)+)', text)
    options = dict(word.split('=') for word in command[1].split() if '=' in word)
    cfg.merge_from_dict({key: int(value) for key, value in options.items()})
    assert other_batches(cfg, 4) == []
    assert {name: 4 * loader.batch_size for name, loader in cfg.train_dataloader.items()} == dict(cls=1024, det=12)


def test_pcdarts_on_imagenet():
    """E.2."""
    model = build(load('imtnas_imagenet_pcdarts'))
    assert model.order == ('imagenet', ) and [stage.name for stage in model.stages] == ['r1.imagenet', 'r2.imagenet']
    assert len(model.space.cells) == 8 and model.space.part == 2
    strides = [module.stride for module in model.space.stem.modules() if isinstance(module, torch.nn.Conv2d)]
    assert strides == [(2, 2)] * 3  # from 224 to 28 pixels


@pytest.mark.parametrize('name', [
    name for name in CONFIGS if 'nasbench201' not in name or not name.endswith('small')])
def test_the_search_is_validated_on_the_part_of_the_architecture(name):
    """The test splits are only in test_dataloader."""
    cfg = load(name)
    for task in cfg.model.tasks:
        val, test = cfg.val_dataloader[task].dataset, cfg.test_dataloader[task].dataset
        assert val.type == 'imtnas_mm.ValidationPart' and set(val) <= {'type', 'pipeline', 'num', 'seed'}
        assert test.type != val.type
        if task == 'det':
            assert not cfg.val_evaluator.det.get('ann_file') and 'val2017' in cfg.test_evaluator.det.ann_file
            assert 'instances' in val.pipeline[-1].meta_keys


def test_splits_of_three_tasks():
    """Appendix B, and one of its tasks by itself."""
    halves, imagenet = Split(), Split(None, .1, .025)
    split = load('imtnas_three_tasks').train_cfg.split
    assert splits_of(split, ('c100', 'c10', 'imagenet'), 'split') == dict(c100=halves, c10=halves, imagenet=imagenet)
    for task, expected in (('c10', halves), ('imagenet', imagenet)):
        cfg = load('imtnas_three_tasks')
        restrict_to_task(cfg, task)
        assert splits_of(cfg.train_cfg.split, (task, ), 'split') == {task: expected}
