"""Every config of a retraining: its parts exist and fit together."""
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, TRANSFORMS, init_default_scope
from mmengine.utils import import_modules_from_strings
from mmpretrain.structures import DataSample

from helpers.model_index import check_metadata
from helpers.tiny_run import shared_architecture
from imtnas_mm.analysis.complexity import count_parameters
from imtnas_mm.spaces import CellHead, CellNet
from imtnas_mm.tasks.joint_model import is_joint

FOLDER = Path(__file__).parents[1] / 'configs' / 'retrain'
JOINT = sorted(path.stem for path in FOLDER.glob('*joint_*.py'))
CONFIGS = sorted(path.stem for path in FOLDER.glob('*.py') if path.stem not in JOINT)
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


@pytest.mark.parametrize('path', [*FOLDER.glob('*.py'), *FOLDER.with_name('independent').glob('*.py')],
                         ids=lambda path: path.stem)
def test_it_resumes_exactly_and_is_as_listed(path):
    cfg = Config.fromfile(path)
    loop = cfg.train_cfg.type.rpartition('.')[2]
    assert loop == ('JointTrainLoop' if is_joint(cfg) else 'RetrainLoop') and 'by_epoch' not in cfg.train_cfg
    assert 'imtnas_mm.engine' in cfg.custom_imports.imports
    assert cfg.default_hooks.checkpoint.type.rpartition('.')[2] == 'AtomicCheckpointHook'
    check_metadata(path, cfg)


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


def load_joint(name):
    """With an architecture whose first blocks are shared."""
    tasks = ('c10', 'c100') if 'cifar' in name else ('cls', 'det')
    architecture = 'fairnas_a' if 'mbconv' in name or 'cls_det' in name else \
        'darts_v2' if 'cells' in name else 'nasbench201_resnet'
    cfg = load(name)
    assert cfg.model.backbone.architecture.startswith('work_dirs/bmtas_')
    cfg.model.backbone.architecture = shared_architecture(tasks, lambda i: (0, int(i > 2)), architecture).to_dict()
    return cfg


@pytest.mark.parametrize('name', JOINT)
def test_joint_model_and_pipelines(name):
    from mmcv.transforms import Compose
    cfg = load_joint(name)
    model = MODELS.build(cfg.model).eval()
    features = {}
    with torch.no_grad():
        for task, task_model in model.tasks.items():
            maps = task_model.extract_feat(torch.zeros(1, 3, 64, 64))
            if task == 'det':
                channels = task_model.bbox_head(maps)[0][0].shape[1]
                assert channels == task_model.bbox_head.num_classes * task_model.bbox_head.num_base_priors
            else:
                classes = cfg.model.tasks[task].model.head.num_classes
                assert task_model.head(maps).shape == (1, classes)
                assert task_model.data_preprocessor.num_classes == classes
            features[task] = maps
    first, second = (model.tasks[task].backbone.stem for task in model.order)
    assert first is second and len(features) == 2
    assert count_parameters(model) < sum(count_parameters(task_model) for task_model in model.tasks.values())
    for part in ('train', 'val', 'test'):
        for task, scope in model.scopes.items():
            with TRANSFORMS.switch_scope_and_registry(scope) as registry:
                steps = [registry.build(step) for step in cfg[f'{part}_dataloader'][task].dataset.pipeline]
            assert Compose(steps).transforms


@pytest.mark.parametrize('small, single', [('', ('cells_cifar10', 'cells_cifar100')), (
    'small_', ('small_cells_cifar10', 'small_cells_tiny100'))])
def test_joint_cells_train_as_those_of_one_task(small, single):
    """Network, images, optimiser, rates and number of epochs."""
    cfg = load(f'{small}joint_cells_cifar')
    for task, name in zip(('c10', 'c100'), single, strict=True):
        one, model = load(name), cfg.model.tasks[task].model
        assert dict(one.model.backbone, type=0, architecture=0) == dict(cfg.model.backbone, type=0, architecture=0)
        topk = (1, 5) if task == 'c100' else (1, )
        assert dict(one.model.head, topk=topk) == model.head and one.data_preprocessor == model.data_preprocessor
        for part in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            assert one[part].dataset == cfg[part][task].dataset and one[part].batch_size == cfg[part][task].batch_size
        assert one.optim_wrapper == cfg.optim_wrapper and one.param_scheduler == cfg.param_scheduler
        assert one.train_cfg.max_epochs == cfg.train_cfg.max_epochs
        assert one.val_evaluator == cfg.val_evaluator[task]


def test_joint_classifier_and_detector():
    cfg = load('joint_mbconv_cls_det')
    classifier, detector = load('mbconv_imagenet'), load('mbconv_retinanet_coco')
    assert cfg.model.tasks.cls.model.head == classifier.model.head
    assert cfg.optim_wrapper.optimizer.items() <= classifier.optim_wrapper.optimizer.items()
    assert [cfg.train_dataloader[task].batch_size for task in ('cls', 'det')] == [
        one.train_dataloader.batch_size for one in (classifier, detector)]
    detection = cfg.model.tasks.det
    assert detection.backbone.out_indices == detector.model.backbone.out_indices
    for part in ('bbox_head', 'test_cfg'):
        assert detection.model[part] == detector.model[part]


@pytest.mark.parametrize('name, dataset, architecture, drop_path, weight_decay', [
    ('cells_cifar10', 'CIFAR10', 'darts_v2', .2, 3e-4),
    ('cells_cifar100', 'CIFAR100', 'darts_v2', .2, 3e-4),
    ('cells_pdarts_cifar10', 'CIFAR10', 'pdarts', .3, 3e-4),
    ('cells_pdarts_cifar100', 'CIFAR100', 'pdarts', .3, 3e-4),
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


@pytest.mark.parametrize('name, parameters', [('nasbench201_cifar10', 1_288_506), ('nasbench201_cifar100', 1_294_356)])
def test_recipe_of_nasbench201(name, parameters):
    joint, cfg = load('joint_nasbench201_cifar'), load(name)  # the last one sets the scope
    task = 'c10' if name.endswith('cifar10') else 'c100'
    assert count_parameters(build(cfg)) == parameters
    assert (cfg.train_cfg.max_epochs, cfg.train_dataloader.batch_size) == (200, 256)
    assert cfg.optim_wrapper == joint.optim_wrapper == dict(
        optimizer=dict(type='SGD', lr=.1, momentum=.9, nesterov=True, weight_decay=5e-4))
    assert cfg.param_scheduler == joint.param_scheduler
    assert [step.type for step in cfg.train_dataloader.dataset.pipeline] == ['RandomCrop', 'RandomFlip', 'PackInputs']
    assert cfg.train_dataloader.dataset == joint.train_dataloader[task].dataset
    for part in ('neck', 'head'):
        assert dict(cfg.model[part], topk=0) == dict(joint.model.tasks[task].model[part], topk=0)


def test_table_32():
    cfg = load('cells_imagenet')
    model = build(cfg)
    assert count_parameters(model) == 5_979_528
    assert model.backbone.drop_path == 0 and model.head.loss_module.label_smooth_val == .1
    assert (cfg.train_cfg.max_epochs, 8 * cfg.train_dataloader.batch_size) == (250, 1024)
    assert cfg.optim_wrapper == dict(
        optimizer=dict(type='SGD', lr=.5, momentum=.9, weight_decay=3e-5), clip_grad=dict(max_norm=5.))


def rates(cfg, epochs):
    """The learning rate of every epoch, by mmengine's own schedulers, which end with the training as its Runner has it.
    """
    from mmengine.optim import OptimWrapper
    from mmengine.registry import PARAM_SCHEDULERS
    wrapper = OptimWrapper(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=cfg.optim_wrapper.optimizer.lr))
    schedulers = [PARAM_SCHEDULERS.build({'end': cfg.train_cfg.max_epochs, **s, 'optimizer': wrapper})
                  for s in cfg.param_scheduler]
    actual = []
    for _ in range(epochs):
        actual.append(wrapper.param_groups[0]['lr'])
        wrapper.step()
        for scheduler in schedulers:
            scheduler.step()
    return actual


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
    layers = {} if 'coco' in name else {'model.backbone.layers': 3}  # a pyramid's stages are those of its layers
    model = build(load(name, **{'model.backbone.architecture': architecture}, **layers))
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
