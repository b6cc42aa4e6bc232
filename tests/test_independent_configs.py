"""The configs of the independently trained networks: they build, fit together and cost what was published."""
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.utils import import_modules_from_strings
from mmpretrain.structures import DataSample
from test_configs import build

from helpers.detector_check import check_trains_and_predicts
from imtnas_mm.analysis.complexity import count_macs, count_parameters
from imtnas_mm.networks import TIMMPyramid

FOLDER = Path(__file__).parents[1] / 'configs' / 'independent'
# name -> parameters and MACs of the classifier at 224 pixels; channels of strides 8, 16, 32. The parameters of the
# FairNAS-SE are those printed in its authors' repository for 10 classes, plus 990 rows of the classifier; its MACs are
# FairNAS's plus the two layers of each squeeze-and-excitation, 2 * expanded width * input width.
NETWORKS = {
    'single_path_nas': (4_421_616, 333_467_072, (40, 96, 320)),
    'mobilenet_v2': (3_504_872, 300_774_272, (32, 96, 1280)),
    'mobilenet_v3': (5_483_032, 216_589_760, (40, 112, 960)),
    'mnasnet_a1': (3_887_038, 311_579_072, (40, 112, 320)),
    'mixnet_m': (5_014_382, 339_172_672, (40, 120, 200)),
    'fairnas_a': (4_651_352, 388_122_848, (40, 96, 320)),
    'fairnas_b': (4_506_272, 345_297_632, (40, 96, 320)),
    'fairnas_c': (4_397_864, 321_024_992, (40, 96, 320)),
    'fairnas_a_se': (5_835_322 + 990 * 1281, 388_122_848 + 2_441_472, (40, 96, 320)),
    'fairnas_b_se': (5_603_242 + 990 * 1281, 345_297_632 + 2_355_072, (40, 96, 320)),
    'fairnas_c_se': (5_429_530 + 990 * 1281, 321_024_992 + 2_290_176, (40, 96, 320)),
}
SMALL = 'mobilenet_v2_small_imagenet96', 'mobilenet_v2_small_retinanet_coco320'  # for data/small


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def load(name):
    cfg = Config.fromfile(FOLDER / f'{name}.py')
    import_modules_from_strings(**cfg.custom_imports)
    init_default_scope(cfg.default_scope)
    return cfg


def test_every_config_is_of_a_network_here():
    assert sorted(path.stem for path in FOLDER.glob('*.py')) == sorted(
        [*SMALL, *(f'{name}_{task}' for name in NETWORKS for task in ('imagenet', 'retinanet_coco'))])


def test_the_small_networks():
    """MobileNetV2 0.5: its classifier has all weights of its detector's backbone; the recipe is the searched one's."""
    classifier = load(SMALL[0])
    trained = build(classifier)
    detector = load(SMALL[1])
    model = build(detector)
    assert count_parameters(trained) == 687_680 + 200 * 1281 and count_macs(trained.backbone, (3, 96, 96)) == 17_605_440
    assert model.backbone.state_dict().keys() <= trained.backbone.state_dict().keys()
    assert detector.model.backbone.init_cfg.checkpoint == 'work_dirs/mobilenet_v2_small_imagenet96/epoch_6.pth'
    check_trains_and_predicts(model, 64, 64)
    for name in SMALL:
        cfg, recipe = (Config.fromfile(path) for path in (
            FOLDER / f'{name}.py', FOLDER.with_name('retrain') / f'{name.removeprefix("mobilenet_v2_")}.py'))
        assert dict(cfg, model=None) == dict(recipe, model=None)


@pytest.mark.parametrize('name', NETWORKS)
def test_classifier(name):
    parameters, macs, _ = NETWORKS[name]
    model = build(load(f'{name}_imagenet'))
    assert count_parameters(model) == parameters
    assert count_macs(model, (3, 224, 224)) == macs
    model.init_weights()
    model.train()
    samples = [DataSample().set_gt_label(i) for i in (0, 999)]
    model.loss(torch.randn(2, 3, 64, 64), samples)['loss'].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    predicted = model.eval().predict(torch.randn(2, 3, 64, 64), samples)
    assert predicted[0].pred_score.shape == (1000, )


@pytest.mark.parametrize('name', NETWORKS)
def test_detector_on_the_classifiers_weights(name, tmp_path):
    """Strides and channels fit the neck, every weight of the backbone is the classifier's, and what isn't frozen
    learns."""
    classifier = build(load(f'{name}_imagenet'))
    for buffer in classifier.buffers():
        buffer += 3
    torch.save(dict(meta={}, state_dict=classifier.state_dict()), tmp_path / 'classifier.pth')
    cfg = load(f'{name}_retinanet_coco')
    assert cfg.model.backbone.init_cfg.checkpoint == f'work_dirs/{name}_imagenet/epoch_300.pth'
    cfg.model.backbone.init_cfg.checkpoint = str(tmp_path / 'classifier.pth')
    cfg.model.neck.out_channels = 16
    cfg.model.bbox_head.update(in_channels=16, feat_channels=16, stacked_convs=1)
    model = build(cfg)
    model.init_weights()
    trained = classifier.backbone.state_dict()
    own = model.backbone.state_dict()
    assert own.keys() <= trained.keys()
    for entry, tensor in own.items():
        assert torch.equal(tensor, trained[entry]), entry
    model.eval()
    channels = NETWORKS[name][2]
    assert tuple(cfg.model.neck.in_channels) == channels
    features = model.backbone(torch.zeros(1, 3, 64, 96))
    assert [tuple(f.shape[1:]) for f in features] == [(c, 64 // s, 96 // s)
                                                      for c, s in zip(channels, (8, 16, 32), strict=True)]
    model.train()
    norms = [m for m in model.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms and not any(norm.training for norm in norms)
    frozen = [p for p in model.backbone.parameters() if not p.requires_grad]
    assert frozen and len(frozen) < len(list(model.backbone.parameters())) / 3
    for parameter in frozen:  # so that the check reaches them too
        parameter.requires_grad_(True)
    check_trains_and_predicts(model, 64, 64)


@pytest.mark.parametrize('frozen', [-1, 0, 2, 7])
def test_frozen_stages_of_a_timm_network(frozen):
    model = MODELS.build(dict(type='imtnas_mm.TIMMPyramid', model_name='spnasnet_100', frozen_stages=frozen)).train()
    network = model.timm_model
    for group, modules in enumerate([[network.conv_stem, network.bn1], *([block] for block in network.blocks)]):
        for module in modules:
            assert all(p.requires_grad == (group > frozen) for p in module.parameters())
            assert all(part.training == (group > frozen) for part in module.modules())
    assert model.out_channels == (40, 96, 320)


@pytest.mark.parametrize('options, message', [
    (dict(model_name='spnasnet_100', frozen_stages=8), 'frozen_stages=8: spnasnet_100 takes -1 to 7'),
    (dict(model_name='resnet18'), "model_name='resnet18' must be a network of timm's EfficientNet family"),
])
def test_bad_options_of_a_timm_network(options, message):
    with pytest.raises(ValueError, match=message):
        TIMMPyramid(**options)
