from dataclasses import replace

import pytest
import torch
from mmengine.hub import get_config
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import init_default_scope
from torch import nn

from helpers.detector_check import check_trains_and_predicts
from imtnas_mm.analysis.complexity import count_macs, count_parameters
from imtnas_mm.checkpoint import CheckpointError
from imtnas_mm.genotype import GenotypeError, published_genotype, save_genotype
from imtnas_mm.networks import ImageNetHead
from imtnas_mm.registry import MODELS
from imtnas_mm.spaces import MBConvNet
from imtnas_mm.spaces.mbconv.layout import searched_layers


def classifier(name):
    return nn.Sequential(MBConvNet(name), ImageNetHead(1000))


@pytest.mark.parametrize('name, parameters, macs', [
    ('fairnas_a', 4_651_352, 388_122_848),
    ('fairnas_b', 4_506_272, 345_297_632),
    ('fairnas_c', 4_397_864, 321_024_992),
    ('fairnas_smallest', 3_189_080, 247_129_856),
    ('fairnas_largest', 5_090_024, 557_405_696),
])
def test_published_parameters_and_macs(name, parameters, macs):
    model = classifier(name)
    assert count_parameters(model) == parameters
    assert count_macs(model, (3, 224, 224)) == macs


@pytest.mark.parametrize('space', ['fairnas19', 'proxyless21'])
@pytest.mark.parametrize('pick', range(7))
def test_parameters_of_any_choice_by_hand(space, pick):
    """Each layer takes its pick-th choice, or its first where it has fewer; counted from the layer table."""
    searched = searched_layers(space)
    choices = [layer.choices[pick if pick < len(layer.choices) else 0] for layer in searched]
    expected = 3 * 32 * 9 + 2 * 32 + 32 * 9 + 2 * 32 + 32 * 16 + 2 * 16
    for layer, choice in zip(searched, choices, strict=True):
        if choice == 'identity':
            continue
        kernel, expansion = int(choice[7]), int(choice[-1])
        middle, cin, cout = layer.in_channels * expansion, layer.in_channels, layer.out_channels
        expected += cin * middle + 2 * middle + middle * kernel**2 + 2 * middle + middle * cout + 2 * cout
    model = MBConvNet(dict(format='imtnas_mm.architecture', version=1, space=space, architecture=dict(layers=choices)))
    assert count_parameters(model) == expected
    assert model.stem.conv.bias is None


@pytest.mark.parametrize('name, channels', [('fairnas19', (32, 40, 80, 96, 192, 320)),
                                            ('proxyless21', (24, 40, 80, 96, 192, 320))])
def test_features_of_all_stages(name, channels):
    layers = ['mbconv_3x3_e3'] * len(searched_layers(name))
    model = MBConvNet(
        dict(format='imtnas_mm.architecture', version=1, space=name, architecture=dict(layers=layers)),
        out_indices=(0, 1, 2, 3, 4, 5)).eval()
    features = model(torch.zeros(2, 3, 96, 64))
    sizes = zip(channels, (4, 8, 16, 16, 32, 32), strict=True)
    assert [tuple(f.shape) for f in features] == [(2, c, 96 // s, 64 // s) for c, s in sizes]
    assert model.out_channels == channels


def test_pyramid_features_and_scale_options():
    features = MBConvNet('fairnas_a', out_indices=(0, 1, 3, 5)).eval()(torch.zeros(1, 3, 64, 64))
    assert [tuple(f.shape[1:]) for f in features] == [(32, 16, 16), (40, 8, 8), (96, 4, 4), (320, 2, 2)]
    model = MBConvNet('fairnas_a', width_mult=.5, stem_stride=1, strides=(1, 2, 2, 1, 2, 1), out_indices=(3, 5))
    features = model.eval()(torch.zeros(1, 3, 32, 32))
    assert [tuple(f.shape[1:]) for f in features] == [(48, 8, 8), (160, 4, 4)] and model.out_channels == (48, 160)


def test_identity_passes_its_input_through():
    genotype = published_genotype('fairnas_a')
    layers = list(genotype.architecture['layers'])
    layers[1] = 'identity'
    model = MBConvNet(replace(genotype, architecture=dict(layers=layers)), out_indices=(0, ))
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model.eval()(x)[0], model.layers['layer01'](model.first(model.stem(x))))


@pytest.mark.parametrize('ratio', [.25, .5, 1.])
def test_squeeze_and_excitation(ratio):
    """After the depthwise convolution of every searched layer, squeezed to a share of the layer's input."""
    model = MBConvNet('fairnas_b', se_ratio=ratio).eval()
    for layer in model.searched:
        block = model.layers[layer.name]
        assert block.se.conv1.conv.weight.shape[:2] == (layer.in_channels * ratio,
                                                        block.depthwise_conv.conv.out_channels)
    block = model.layers['layer01']
    x = torch.randn(2, 16, 8, 8)
    middle = block.depthwise_conv(block.expand_conv(x))
    squeezed = block.se.conv1.conv(middle.mean((2, 3), keepdim=True)).relu()
    expected = block.linear_conv(middle * block.se.conv2.conv(squeezed).sigmoid())
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize('options, message', [
    (dict(out_indices=(6, )), r'out_indices=\(6,\): fairnas19 has stages 0 to 5'),
    (dict(out_indices=()), 'out_indices'),
    (dict(frozen_stages=7), 'frozen_stages=7: fairnas19 takes -1 to 6'),
    (dict(stem_stride=3), 'stem_stride=3'),
    (dict(se_ratio=0), 'se_ratio=0 must be above 0'),
    (dict(strides=(2, 2)), r'strides=\(2, 2\)'),
])
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        MBConvNet('fairnas_a', **options)


def test_bad_architecture():
    with pytest.raises(GenotypeError, match="'fairnas_z'.*fairnas_a"):
        MBConvNet('fairnas_z')


def stage_modules(model, stage):
    return [model.layers[layer.name] for layer in model.searched if layer.stage == stage]


@pytest.mark.parametrize('frozen', range(-1, 7))
def test_frozen_stages(frozen):
    model = MBConvNet('fairnas_c', frozen_stages=frozen).train()
    groups = {0: [model.stem, model.first], **{s + 1: stage_modules(model, s) for s in range(6)}}
    for group, modules in groups.items():
        for module in modules:
            assert all(p.requires_grad == (group > frozen) for p in module.parameters())
            assert all(part.training == (group > frozen) for part in module.modules())
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model(torch.randn(2, 3, 32, 32))
    for name, buffer in model.named_buffers():
        stage = 0 if not name.startswith('layers') else next(
            layer.stage for layer in model.searched if layer.name == name.split('.')[1]) + 1
        assert torch.equal(buffer, before[name]) == (stage <= frozen), name


def test_norm_eval():
    model = MBConvNet('fairnas_c', norm_eval=True).train()
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 3 + 19 * 3 and not any(norm.training for norm in norms)
    assert model.training and model.stem.conv.training
    assert all(norm.training for norm in MBConvNet('fairnas_c').train().modules() if isinstance(norm, nn.BatchNorm2d))


def retinanet(backbone):
    model = get_config('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py').model
    model.backbone = backbone
    model.neck.update(in_channels=[32, 40, 96, 320], out_channels=32)
    model.bbox_head.update(num_classes=3, in_channels=32, feat_channels=32, stacked_convs=1)
    return model


@pytest.mark.parametrize('given_as', ['name', 'dict', 'path', 'genotype'])
def test_in_a_detector_of_mmdet(tmp_path, given_as):
    from mmdet.registry import MODELS as MMDET_MODELS
    genotype = published_genotype('fairnas_c')
    save_genotype(genotype, tmp_path / 'architecture.json')
    architecture = dict(name='fairnas_c', dict=genotype.to_dict(), genotype=genotype,
                        path=str(tmp_path / 'architecture.json'))[given_as]
    init_default_scope('mmdet')
    model = MMDET_MODELS.build(
        retinanet(dict(type='imtnas_mm.MBConvNet', architecture=architecture, out_indices=(0, 1, 3, 5))))
    assert isinstance(model.backbone, MBConvNet) and model.backbone.genotype.architecture == genotype.architecture
    model.init_weights()
    check_trains_and_predicts(model, 64, 64)


def image_classifier(**backbone):
    return dict(
        type='ImageClassifier',
        _scope_='mmpretrain',
        backbone=dict(type='imtnas_mm.MBConvNet', **backbone),
        head=dict(type='imtnas_mm.ImageNetHead', num_classes=5))


@pytest.mark.parametrize('scope', ['imtnas_mm', 'mmpretrain', 'mmdet'])
def test_in_a_classifier_of_mmpretrain(scope):
    from mmpretrain.structures import DataSample
    init_default_scope(scope)
    model = ROOT_MODELS.build(image_classifier(architecture='fairnas_b'))
    assert type(model.head.loss_module).__module__.startswith('mmpretrain.')
    model.init_weights()
    samples = [DataSample().set_gt_label(i) for i in (0, 4)]
    x = torch.randn(2, 3, 64, 64)
    model.loss(x, samples)['loss'].backward()
    assert all(p.grad is not None for p in model.parameters())
    scores = [sample.pred_score for sample in model.eval().predict(x, samples)]
    torch.testing.assert_close(torch.stack(scores), model(x).softmax(1))
    assert scores[0].shape == (5, )


def checkpoint_of(path, architecture, **options):
    model = ROOT_MODELS.build(image_classifier(architecture=architecture, **options))
    for buffer in model.buffers():
        buffer += 3
    torch.save(dict(meta={}, state_dict=dict(model.state_dict())), path)  # without a record of the architecture
    return model


def initialised(checkpoint, architecture='fairnas_c'):
    init_cfg = dict(type='Pretrained', checkpoint=str(checkpoint), prefix='backbone.')
    model = MODELS.build(dict(type='MBConvNet', architecture=architecture, init_cfg=init_cfg))
    model.init_weights()
    return model


def test_initialised_from_a_classifier(tmp_path):
    trained = checkpoint_of(tmp_path / 'c.pth', 'fairnas_c')
    state = initialised(tmp_path / 'c.pth').state_dict()
    assert state.keys() == trained.backbone.state_dict().keys()
    for name, tensor in trained.backbone.state_dict().items():
        assert torch.equal(state[name], tensor), name


def test_a_missing_classifier_is_named_with_its_field(tmp_path):
    with pytest.raises(CheckpointError, match=rf'^init_cfg.checkpoint of the backbone: {tmp_path}/no.pth: .*before$'):
        initialised(tmp_path / 'no.pth')


def test_initialisation_from_another_network_is_refused(tmp_path):
    path = tmp_path / 'other.pth'
    checkpoint_of(path, 'fairnas_b')
    with pytest.raises(ValueError, match=rf'{path}: backbone.layers.layer03.depthwise_conv.*shape'):
        initialised(path)
    checkpoint_of(path, 'fairnas_c', width_mult=.5)
    with pytest.raises(ValueError, match=rf'{path}: backbone.stem.conv.weight: shape \(16, 3, 3, 3\)'):
        initialised(path)
    short = published_genotype('fairnas_c').to_dict()
    short['architecture']['layers'][4] = 'identity'
    checkpoint_of(path, short)
    with pytest.raises(ValueError, match=rf'{path}: backbone.layers.layer05.expand_conv.conv.weight: is missing'):
        initialised(path)
    checkpoint_of(path, 'fairnas_c')
    with pytest.raises(ValueError, match=rf'{path}: backbone.layers.layer05.* no such layer'):
        initialised(path, short)


def test_default_initialisation_is_by_kind_of_layer():
    torch.manual_seed(0)
    model = MBConvNet('fairnas_largest')
    model.init_weights()
    conv = model.layers['layer19'].expand_conv.conv.weight  # 1152 x 192 x 1 x 1; Kaiming normal, fan out
    assert conv.std().item() == pytest.approx((2 / conv.shape[0])**.5, rel=.01)
    assert all((m.weight == 1).all() for m in model.modules() if isinstance(m, nn.BatchNorm2d))
