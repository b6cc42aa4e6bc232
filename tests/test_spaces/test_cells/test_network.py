import pytest
import torch
import torch.nn.functional as F
from mmengine.hub import get_config
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import init_default_scope
from torch import nn

from helpers.detector_check import check_trains_and_predicts
from imtnas_mm.analysis.complexity import count_macs, count_parameters
from imtnas_mm.genotype import published_genotype
from imtnas_mm.networks.build import build_network, shared_options
from imtnas_mm.registry import MODELS
from imtnas_mm.spaces import CellHead, CellNet
from imtnas_mm.spaces.cells.layout import CellPlace
from imtnas_mm.spaces.cells.network import Cell
from imtnas_mm.spaces.cells.operations import FactorizedReduction

NAMES = ('darts_v1', 'darts_v2', 'pdarts', 'pc_darts_cifar', 'pc_darts_image', 'pr_darts')


# --- size: figures of the original networks -------------------------------------------------------------------------


@pytest.mark.parametrize('name, ten, with_auxiliary, hundred, macs', [
    ('darts_v1', 3_169_414, 3_645_840, 3_221_344, 500_987_520),
    ('darts_v2', 3_349_342, 3_825_768, 3_401_272, 528_359_040),
    ('pdarts', 3_433_798, 3_910_224, 3_485_728, 532_174_464),
    ('pc_darts_cifar', 3_634_678, 4_111_104, 3_686_608, 556_670_592),
    ('pc_darts_image', 3_721_510, 4_197_936, 3_773_440, 570_466_944),
    ('pr_darts', 3_444_814, 3_921_240, 3_496_744, 529_769_088),
])
def test_size_on_cifar(name, ten, with_auxiliary, hundred, macs):
    backbone = CellNet(name)
    model = nn.Sequential(backbone, CellHead(10))
    assert count_parameters(model) == ten
    assert count_macs(model, (3, 32, 32)) == macs
    assert count_parameters(nn.Sequential(backbone, CellHead(100))) == hundred
    auxiliary = nn.Sequential(CellNet(name, auxiliary=True), CellHead(10, auxiliary={}))
    assert count_parameters(auxiliary) == with_auxiliary
    assert count_macs(auxiliary, (3, 32, 32)) == macs  # evaluation goes without it


@pytest.mark.parametrize('name, parameters, with_auxiliary, macs', [
    ('darts_v1', 4_510_432, 5_771_208, 505_864_704),
    ('darts_v2', 4_718_752, 5_979_528, 529_911_552),
    ('pdarts', 4_944_352, 6_205_128, 542_819_328),
    ('pc_darts_cifar', 5_270_560, 6_531_336, 571_137_408),
    ('pc_darts_image', 5_342_464, 6_603_240, 581_627_328),
    ('pr_darts', 4_981_312, 6_242_088, 543_374_400),
])
def test_size_on_imagenet(name, parameters, with_auxiliary, macs):
    model = nn.Sequential(CellNet(name, channels=48, layers=14, stem='imagenet'), CellHead(1000, 768))
    assert count_parameters(model) == parameters
    assert count_macs(model, (3, 224, 224)) == macs
    auxiliary = CellHead(1000, 768, auxiliary=dict(stride=2, last_norm=False))
    assert count_parameters(model[0]) + count_parameters(auxiliary) == with_auxiliary
    restored = CellHead(1000, 768, auxiliary=dict(stride=2))
    assert count_parameters(restored) - count_parameters(auxiliary) == 2 * 768


# --- forward: the same by functions, from the genotype and the weights -----------------------------------------------


def norm(module, x):
    return F.batch_norm(x, module.running_mean, module.running_var, module.weight, module.bias, False, 0., module.eps)


def zero_padded_reduction(module, x):
    """The second convolution reads pixel (2i + 1, 2j + 1) where there is one, and zero elsewhere."""
    x = F.relu(x)
    even = F.conv2d(x[:, :, ::2, ::2], module.even.weight)
    pixels = torch.zeros_like(x[:, :, ::2, ::2])
    own = x[:, :, 1::2, 1::2]
    pixels[:, :, :own.shape[2], :own.shape[3]] = own
    return norm(module.norm, torch.cat([even, F.conv2d(pixels, module.odd.weight)], 1))


def operation_by_hand(name, module, x, stride):
    if name == 'skip_connect':
        return x if stride == 1 else zero_padded_reduction(module, x)
    if name == 'max_pool_3x3':
        return F.max_pool2d(x, 3, stride, 1)
    if name == 'avg_pool_3x3':  # the mean of the pixels inside
        ones = F.avg_pool2d(torch.ones_like(x), 3, stride, 1)
        return F.avg_pool2d(x, 3, stride, 1) / ones
    layers = iter(module)
    for repeat in range(2 if name.startswith('sep') else 1):
        next(layers)
        depthwise, pointwise, bn = next(layers), next(layers), next(layers)
        kernel, dilation = int(name[-1]), 2 if name.startswith('dil') else 1
        assert depthwise.weight.shape[1:] == (1, kernel, kernel)
        x = F.conv2d(F.relu(x), depthwise.weight, None, stride if repeat == 0 else 1, dilation * (kernel - 1) // 2,
                     dilation, x.shape[1])
        x = norm(bn, F.conv2d(x, pointwise.weight))
    assert next(layers, None) is None
    return x


def relu_conv_norm(module, x):
    return norm(module[2], F.conv2d(F.relu(x), module[1].weight))


def network_by_hand(model, x, layers, imagenet):
    architecture, reductions, outputs = model.genotype.architecture, (layers // 3, 2 * layers // 3), []
    if imagenet:
        first, second = model.stem[0], model.stem[1]
        x = norm(first[1], F.conv2d(x, first[0].weight, None, 2, 1))
        a = norm(first[4], F.conv2d(F.relu(x), first[3].weight, None, 2, 1))
        b = norm(second[2], F.conv2d(F.relu(a), second[1].weight, None, 2, 1))
    else:
        a = b = norm(model.stem[0][1], F.conv2d(x, model.stem[0][0].weight, None, 1, 1))
    for i, cell in enumerate(model.cells):
        reduces = i in reductions
        states = [(zero_padded_reduction if a.shape[2:] != b.shape[2:] else relu_conv_norm)(cell.inputs[0], a),
                  relu_conv_norm(cell.inputs[1], b)]
        for k, node in enumerate(architecture['reduce' if reduces else 'normal']):
            states.append(sum(
                operation_by_hand(operation, cell.edges[f'node{k}_{operation}_{state}'], states[state],
                                  2 if reduces and state < 2 else 1) for operation, state in node))
        a, b = b, torch.cat(states[2:], 1)
        outputs.append(b)
    return [outputs[i] for i in (reductions[0] - 1, reductions[1] - 1, layers - 1)]


def shaken(model):
    """Norms that do something in evaluation."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, .5, 2.)
            nn.init.normal_(module.bias, std=.3)
            module.running_mean.normal_(std=.3)
            module.running_var.uniform_(.5, 2.)
    return model.double().eval()


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('stem, size, layers', [('cifar', (8, 12), 6), ('cifar', (13, 11), 5),
                                                ('imagenet', (64, 64), 3), ('imagenet', (75, 133), 4)])
def test_features_by_hand(name, stem, size, layers):
    model = shaken(CellNet(name, channels=4, layers=layers, stem=stem, out_indices=(0, 1, 2)))
    x = torch.randn(2, 3, *size, dtype=torch.double)
    features = model(x)
    expected = network_by_hand(model, x, layers, stem == 'imagenet')
    assert len(features) == 3
    for ours, theirs in zip(features, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize('stem, strides', [('cifar', (1, 2, 4)), ('imagenet', (8, 16, 32))])
def test_pyramid(stem, strides):
    model = CellNet('pdarts', channels=6, layers=7, stem=stem, out_indices=(0, 1, 2)).eval()
    features = model(torch.zeros(2, 3, 96, 64))
    assert [tuple(f.shape) for f in features] == [
        (2, c, 96 // s, 64 // s) for c, s in zip((24, 48, 96), strides, strict=True)]
    assert model.out_channels == (24, 48, 96)
    last = CellNet('pdarts', channels=6, layers=7, stem=stem, out_indices=(2, 0))
    assert last.out_channels == (24, 96) and [f.shape[1] for f in last(torch.zeros(2, 3, 96, 64))] == [24, 96]


def test_two_operations_on_one_predecessor():
    """PR-DARTS may derive such nodes."""
    data = published_genotype('pr_darts').to_dict()
    data['architecture']['normal'][1] = [['sep_conv_3x3', 2], ['dil_conv_3x3', 2]]
    model = shaken(CellNet(data, channels=4, layers=3, out_indices=(0, 1, 2)))
    x = torch.randn(2, 3, 8, 8, dtype=torch.double)
    torch.testing.assert_close(list(model(x)), network_by_hand(model, x, 3, False))


@pytest.mark.parametrize('channels', [4, 8, 12])
def test_narrow_reductions_of_channels_last_maps(channels):
    """With strided convolutions, oneDNN's gradient was wrong here, or the process died."""
    reduction = FactorizedReduction(channels, channels, dict(type='BN'))
    x = torch.randn(4, channels, 56, 56)
    weights = torch.randn(4, channels, 28, 28)

    def gradients(module, x):
        return torch.autograd.grad((module(x) * weights.to(x)).sum(), list(module.parameters()))

    last = gradients(reduction, x.contiguous(memory_format=torch.channels_last))
    for ours, exact in zip(last, gradients(reduction.double(), x.double()), strict=True):
        torch.testing.assert_close(ours.double(), exact, atol=1e-3, rtol=1e-3)


# --- drop path -------------------------------------------------------------------------------------------------------


def cell(operation, drop_path):
    """A cell of one operation whose inputs go through unchanged but for ReLU; it trains, its norms don't."""
    nodes = [[[operation, 0], [operation, 1]]] * 4
    built = Cell(nodes, CellPlace('normal', 2, (2, 2), False), dict(type='BN', eps=0.), drop_path)
    for entrance in built.inputs:
        entrance[1].weight.data = torch.eye(2)[:, :, None, None]
        entrance[2].eval()
    return built


def test_drop_path_is_by_image_and_edge_and_keeps_the_mean():
    x = torch.rand(4000, 2, 3, 3)
    pooled = F.max_pool2d(x, 3, 1, 1)
    nodes = cell('max_pool_3x3', .3)(x, 10 * x).unflatten(1, (4, 2))
    ratio = nodes / pooled[:, None]
    torch.testing.assert_close(ratio, ratio[:, :, :1, :1, :1].expand_as(ratio))  # one draw for all of an image's edge
    ratio = ratio[:, :, 0, 0, 0]
    digits = (ratio * .7).round()  # of the two edges: ones and tens
    for kept in (digits % 10, digits // 10):
        assert set(kept.unique().tolist()) == {0, 1}
        assert kept.mean().item() == pytest.approx(.7, abs=4 * (.7 * .3 / kept.numel())**.5)
        assert kept.mean(1).unique().numel() == 5  # the four nodes draw apart
    assert ratio.mean().item() == pytest.approx(11, rel=.03)


def test_identities_are_not_dropped():
    x = torch.rand(50, 2, 3, 3)
    built = cell('skip_connect', .9)
    torch.testing.assert_close(built(x, x), (2 * x).repeat(1, 4, 1, 1))


def test_factorised_reductions_are_dropped():
    nodes = [[['skip_connect', 0], ['skip_connect', 1]]] * 4
    built = Cell(nodes, CellPlace('reduce', 2, (2, 2), False), dict(type='BN'), .9)
    output = built(*torch.rand(2, 50, 2, 4, 4)).unflatten(1, (4, 2)).flatten(2)
    # an edge kept is normalised over the batch, so never zero everywhere
    assert (output == 0).all(2).float().mean().item() == pytest.approx(.81, abs=.12)


def test_drop_path_rate():
    model = CellNet('darts_v2', channels=4, layers=3, drop_path=.3)
    x = torch.randn(2, 3, 8, 8)
    assert {c.drop_path.drop_prob for c in model.cells} == {.3}
    assert model.scale_drop_path(.5) == .15 and {c.drop_path.drop_prob for c in model.cells} == {.15}
    assert torch.equal(model.eval()(x)[0], model(x)[0])  # none in evaluation
    model.train()
    assert not torch.equal(model(x)[0], model(x)[0])
    model.scale_drop_path(0)
    assert torch.equal(model(x)[0], model(x)[0])


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('options, message', [
    (dict(architecture='fairnas_a'), "architecture: its space is 'fairnas19'; CellNet builds those of .*'prdarts'"),
    (dict(channels=5), 'channels=5 must be even'),
    (dict(channels=0), 'channels=0 must be even'),
    (dict(layers=2), 'layers=2 must be at least 3'),
    (dict(stem='coco'), "stem='coco' must be 'cifar' or 'imagenet'"),
    (dict(out_indices=(3, )), r'out_indices=\(3,\): darts has stages 0 to 2'),
    (dict(out_indices=()), 'out_indices'),
    (dict(frozen_stages=4), 'frozen_stages=4: darts takes -1 to 3'),
    (dict(drop_path=1.), r'drop_path=1.0 must be in \[0, 1\)'),
    (dict(auxiliary=True, out_indices=(0, 1)), r'auxiliary=True: .*out_indices=\(0, 1\)'),
])
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        CellNet(**dict(dict(architecture='darts_v2', channels=4, layers=3), **options))


@pytest.mark.parametrize('stem', ['cifar', 'imagenet'])
@pytest.mark.parametrize('frozen', range(-1, 4))
def test_frozen_stages(frozen, stem):
    model = CellNet('darts_v2', channels=4, layers=6, stem=stem, frozen_stages=frozen).train()
    groups = {0: [model.stem], 1: model.cells[:2], 2: model.cells[2:4], 3: model.cells[4:]}
    for group, modules in groups.items():
        for module in modules:
            assert all(p.requires_grad == (group > frozen) for p in module.parameters())
            assert all(part.training == (group > frozen) for part in module.modules())


def test_norm_eval():
    model = CellNet('darts_v2', channels=4, layers=3, norm_eval=True).train()
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms and not any(m.training for m in norms) and model.cells[0].drop_path.training


@pytest.mark.parametrize('name', NAMES)
def test_built_for_its_space(name):
    genotype = published_genotype(name)
    model = build_network(genotype, channels=4, layers=3)
    assert isinstance(model, CellNet) and model.genotype.architecture == genotype.architecture
    assert shared_options(genotype.space, dict(channels=16, layers=8, width_mult=.5)) == {}


# --- in mmdet and mmpretrain -----------------------------------------------------------------------------------------


def test_in_a_detector_of_mmdet():
    from mmdet.registry import MODELS as MMDET_MODELS
    cfg = get_config('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py').model
    cfg.backbone = dict(type='imtnas_mm.CellNet', architecture='pc_darts_cifar', channels=8, layers=3, stem='imagenet',
                        out_indices=(0, 1, 2))
    cfg.neck.update(in_channels=[32, 64, 128], out_channels=32, start_level=0)
    cfg.bbox_head.update(num_classes=3, in_channels=32, feat_channels=32, stacked_convs=1)
    init_default_scope('mmdet')
    model = MMDET_MODELS.build(cfg)
    model.init_weights()
    check_trains_and_predicts(model, 75, 91)


def classifier(architecture='darts_v2', **backbone):
    return ROOT_MODELS.build(dict(
        type='ImageClassifier', _scope_='mmpretrain',
        backbone=dict(type='imtnas_mm.CellNet', architecture=architecture, channels=4, layers=3, **backbone),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=5, in_channels=64)))


@pytest.mark.parametrize('auxiliary', [False, True])
def test_with_the_neck_and_head_of_mmpretrain(auxiliary):
    from mmpretrain.structures import DataSample
    model = classifier(auxiliary=auxiliary)
    model.init_weights()
    samples = [DataSample().set_gt_label(i) for i in (0, 4)]
    x = torch.randn(2, 3, 32, 32)
    losses = model.loss(x, samples)
    assert set(losses) == {'loss'}
    losses['loss'].backward()
    assert all(p.grad is not None for p in model.parameters())
    scores = torch.stack([sample.pred_score for sample in model.eval().predict(x, samples)])
    torch.testing.assert_close(scores, model(x).softmax(1))


def test_initialised_from_a_classifier(tmp_path):
    path = tmp_path / 'c.pth'

    def initialised(architecture):
        init_cfg = dict(type='Pretrained', checkpoint=str(path), prefix='backbone.')
        model = MODELS.build(
            dict(type='CellNet', architecture=architecture, channels=4, layers=3, init_cfg=init_cfg))
        model.init_weights()
        return model.state_dict()

    trained = classifier()
    torch.save(dict(meta={}, state_dict=dict(trained.state_dict())), path)  # without a record of the architecture
    for name, tensor in initialised('darts_v2').items():
        assert torch.equal(tensor, trained.backbone.state_dict()[name]), name
    with pytest.raises(ValueError, match=rf'{path}: backbone.cells.0.edges.node1_sep_conv_3x3_1.*no such layer'):
        initialised(with_edge('normal', 1, 1, ['skip_connect', 1]))
    with pytest.raises(ValueError, match=rf'{path}: backbone.cells.0.edges.node0_sep_conv_5x5_1.*is missing'):
        initialised(with_edge('normal', 0, 1, ['sep_conv_5x5', 1]))


def with_edge(kind, node, place, edge):
    data = published_genotype('darts_v2').to_dict()
    data['architecture'][kind][node][place] = edge
    return data


def test_default_initialisation_is_pytorchs():
    model = CellNet('darts_v2', channels=16, layers=3)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.init_weights()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
