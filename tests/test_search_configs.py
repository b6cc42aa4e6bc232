"""Every config of a search: its model builds, and the numbers are the paper's."""
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

from imtnas_mm.analysis.complexity import count_parameters
from imtnas_mm.engine.launch.phases import check_phases, phase_config
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
def test_builds(name):
    cfg = load(name)
    for part in phases_of(cfg):
        model = build(part)
        assert set(part.train_dataloader) == set(part.val_dataloader) == set(part.val_evaluator) == set(model.order)
        assert model.space.alpha_shapes()


def test_the_second_setting_is_the_weight_of_the_task_alone():
    assert len(TWINS) == 7
    for name in TWINS:
        twin, cfg = load(name), load(name.replace('_joint', ''))
        assert cfg.model.encoder_task_weight == 0 and twin.model.encoder_task_weight == 1
        cfg.model.encoder_task_weight = twin.model.encoder_task_weight
        assert twin.to_dict() == cfg.to_dict()


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
        assert (scheduler.type, scheduler.T_max, scheduler.eta_min) == ('CosineAnnealingLR', 50, minimum)
    assert 'architecture' not in cfg.param_scheduler
    assert cfg.optim_wrapper.architecture.optimizer == dict(type='Adam', lr=3e-4, betas=(.5, .999), weight_decay=1e-3)
    transfer = cfg.model.transfer
    assert (transfer.num_examples, transfer.num_augmentations, transfer.threshold, transfer.kernel_scale) == (
        20, 20, 5., .1)
    if name != 'pdarts':
        assert cfg.model.search_space.layers == 8


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
