"""Every config of a retraining: its parts exist and fit together."""
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.utils import import_modules_from_strings
from mmpretrain.structures import DataSample
from tiny_run import scope_put_back  # noqa: F401

from imtnas_mm.analysis.complexity import count_parameters
from imtnas_mm.networks import CellHead, CellNet

FOLDER = Path(__file__).parents[1] / 'configs' / 'retrain'
CONFIGS = sorted(path.stem for path in FOLDER.glob('*.py'))
CELLS = [name for name in CONFIGS if 'cells' in name]


def load(name, **options):
    cfg = Config.fromfile(FOLDER / f'{name}.py')
    cfg.merge_from_dict(options)
    import_modules_from_strings(**cfg.custom_imports)
    init_default_scope(cfg.default_scope)
    return cfg


def build(cfg):
    model = cfg.model
    if 'data_preprocessor' in cfg:
        model.setdefault('data_preprocessor', cfg.data_preprocessor)
    return MODELS.build(model)


@pytest.mark.parametrize('name', CONFIGS)
def test_model_and_pipelines(name):
    from mmcv.transforms import Compose
    cfg = load(name)
    model = build(cfg).eval()
    side = 64 if cfg.default_scope == 'mmdet' or cfg.model.backbone.get('stem') == 'imagenet' else 32
    with torch.no_grad():
        features = model.extract_feat(torch.zeros(1, 3, side, side))
        scores = model.bbox_head(features)[0][0] if cfg.default_scope == 'mmdet' else model.head(features)
    if cfg.default_scope == 'mmdet':
        assert scores.shape[1] == model.bbox_head.num_classes * model.bbox_head.num_base_priors
    else:
        assert scores.shape == (1, cfg.data_preprocessor.num_classes)
        assert model.data_preprocessor.num_classes == cfg.data_preprocessor.num_classes
    for part in ('train', 'val', 'test'):
        assert Compose(cfg[f'{part}_dataloader'].dataset.pipeline).transforms


@pytest.mark.parametrize('name, dataset, architecture, drop_path, weight_decay', [
    ('cells_cifar10', 'CIFAR10', 'darts_v2', .2, 3e-4),
    ('cells_cifar100', 'CIFAR100', 'darts_v2', .2, 3e-4),
    ('cells_pdarts_cifar10', 'CIFAR10', 'pdarts', .3, 3e-4),
    ('cells_pdarts_cifar100', 'CIFAR100', 'pdarts', .3, 5e-4),
    ('cells_pcdarts_cifar10', 'CIFAR10', 'pc_darts_cifar', .3, 3e-4),
    ('cells_pcdarts_cifar100', 'CIFAR100', 'pc_darts_cifar', .3, 3e-4),
])
def test_tables_28_to_31(name, dataset, architecture, drop_path, weight_decay):
    cfg = load(name)
    model = build(cfg)
    backbone = model.backbone
    assert isinstance(backbone, CellNet) and isinstance(model.head, CellHead)
    assert (backbone.channels, len(backbone.cells), backbone.drop_path) == (36, 20, drop_path)
    assert cfg.model.backbone.architecture == architecture and model.head.auxiliary_weight == .4
    assert (cfg.train_cfg.max_epochs, cfg.train_dataloader.batch_size) == (600, 96)
    assert cfg.optim_wrapper == dict(
        optimizer=dict(type='SGD', lr=.025, momentum=.9, weight_decay=weight_decay), clip_grad=dict(max_norm=5.))
    for part, split in dict(train='train', val='test', test='test').items():
        data = cfg[f'{part}_dataloader'].dataset
        assert (data.type, data.split, data.check_md5) == (f'imtnas_mm.{dataset}', split, True)
    cutout = cfg.train_dataloader.dataset.pipeline[2]
    assert (cutout.type, cutout['shape'], cutout.prob) == ('Cutout', 16, 1.)
    filled = torch.tensor([[float(value)] for value in cutout.pad_val])[None, :, :, None]
    normalised = (filled[0, :, 0, 0] - model.data_preprocessor.mean.flatten()) / model.data_preprocessor.std.flatten()
    assert normalised.abs().max() < .01
    with_auxiliary = dict(darts_v2=3_825_768, pdarts=3_910_224, pc_darts_cifar=4_111_104)[architecture]
    more_classes = 90 * (577 + 769) if dataset == 'CIFAR100' else 0
    assert count_parameters(model) == with_auxiliary + more_classes


def test_table_32():
    cfg = load('cells_imagenet')
    model = build(cfg)
    assert count_parameters(model) == 5_979_528
    assert model.backbone.drop_path == 0 and model.head.loss_module.label_smooth_val == .1
    assert (cfg.train_cfg.max_epochs, 8 * cfg.train_dataloader.batch_size) == (250, 1024)
    assert cfg.optim_wrapper == dict(
        optimizer=dict(type='SGD', lr=.5, momentum=.9, weight_decay=3e-5), clip_grad=dict(max_norm=5.))


def rates(cfg, epochs):
    """The learning rate of every epoch, by mmengine's own schedulers."""
    from mmengine.optim import OptimWrapper
    from mmengine.registry import PARAM_SCHEDULERS
    wrapper = OptimWrapper(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=cfg.optim_wrapper.optimizer.lr))
    schedulers = [PARAM_SCHEDULERS.build(dict(s, optimizer=wrapper)) for s in cfg.param_scheduler]
    found = []
    for _ in range(epochs):
        found.append(wrapper.param_groups[0]['lr'])
        wrapper.step()
        for scheduler in schedulers:
            scheduler.step()
    return found


def test_rates():
    cosine = rates(load('cells_cifar10'), 600)
    expected = [.0125 * (1 + torch.tensor(torch.pi * e / 600).cos().item()) for e in range(600)]
    assert cosine == pytest.approx(expected, abs=1e-7)
    falling = rates(load('cells_imagenet'), 250)
    assert falling[:5] == pytest.approx([.1, .2, .3, .4, .5])
    assert falling[5:] == pytest.approx([.5 * .97**(e - 5) for e in range(5, 250)])


@pytest.mark.parametrize('name', CELLS)
@pytest.mark.parametrize('architecture', ['pr_darts', 'pc_darts_image'])
def test_any_cell_architecture(name, architecture):
    model = build(load(name, **{'model.backbone.architecture': architecture}))
    assert model.backbone.genotype.source['name'] == architecture


@pytest.mark.parametrize('name', [name for name in CELLS if 'coco' not in name and name != 'small_cells_imagenet'])
def test_a_step_of_the_auxiliary_classifier(name):
    """With narrow cells; drop path grows where there is any."""
    cfg = load(name, **{'model.backbone.channels': 4, 'model.backbone.layers': 3, 'model.head.in_channels': 64})
    model = build(cfg)
    side = 224 if 'imagenet' in name else 32
    losses = model.loss(torch.zeros(2, 3, side, side), [DataSample().set_gt_label(i) for i in (0, 1)])
    assert set(losses) == {'loss_cls', 'loss_auxiliary'}
    assert [hook.type for hook in cfg.get('custom_hooks', [])] == ([] if 'imagenet' in name else
                                                                   ['imtnas_mm.DropPathHook'])
