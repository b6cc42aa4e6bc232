"""Graphs of whole models predict as mmdet and mmpretrain do: in PyTorch, as files of torch.export, in onnxruntime."""
import copy
from unittest import mock

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from torchvision.ops import box_iou

import imtnas_mm.networks  # noqa: F401
from helpers import tiny_run as tiny
from helpers.forks import in_fork
from imtnas_mm.deploy import graphs
from imtnas_mm.deploy.models import graph_function
from imtnas_mm.deploy.nms import kept_by_nms
from imtnas_mm.deploy.write import onnx_bytes, traced

BACKBONE = dict(type='imtnas_mm.MBConvNet', architecture=tiny.short_architecture().to_dict(), **tiny.SCALE)
RETINANET = dict(tiny.DETECTOR, backbone=dict(BACKBONE, out_indices=(2, 5)), _scope_='mmdet')
FCOS = dict(
    RETINANET, type='FCOS', train_cfg=None,
    bbox_head=dict(type='FCOSHead', num_classes=3, in_channels=8, stacked_convs=1, feat_channels=8, strides=[4, 8],
                   regress_ranges=((-1, 16), (16, 1e8)), norm_cfg=None))
DETECTORS = dict(retinanet=RETINANET, fcos=FCOS)
MBCONV = dict(tiny.CLASSIFIER, backbone=BACKBONE, _scope_='mmpretrain')
MBCONV['head'] = dict(MBCONV['head'], norm_cfg=dict(type='BN'))  # predicts each image by itself
CELLS = dict(
    type='ImageClassifier', _scope_='mmpretrain', data_preprocessor=dict(tiny.NORMALISATION, to_rgb=True),
    backbone=dict(type='imtnas_mm.CellNet', architecture='darts_v2', channels=4, layers=3, auxiliary=True),
    head=dict(type='imtnas_mm.CellHead', num_classes=3, in_channels=64, topk=(1, 2)))
# the convolutions whose outputs are those of a head
LAST = dict(RetinaHead=('retina_cls', 'retina_reg'), FCOSHead=('conv_cls', 'conv_reg', 'conv_centerness'))
SIZES = [[40, 64], [33, 60], [40, 50]]  # of images that are padded to 40 x 64


def built(cfg):
    """A model whose scores and boxes are spread."""
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(copy.deepcopy(cfg))).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.kaiming_normal_(parameter)
    for name, buffer in model.named_buffers():
        if name.endswith('running_mean'):
            buffer.normal_()
    if not hasattr(model, 'bbox_head'):
        with torch.no_grad():
            outputs = model(model.data_preprocessor(dict(inputs=crops()))['inputs'])
            model.head.fc.bias.sub_(outputs.mean(0)).div_(outputs.std(0))
            model.head.fc.weight.div_(outputs.std(0)[:, None])
    else:
        x = model.data_preprocessor(dict(inputs=images(), data_samples=None))['inputs']
        with torch.no_grad():
            outputs = model.bbox_head(model.extract_feat(x))
            layers = LAST[type(model.bbox_head).__name__]
            for layer, spread, levels in zip(layers, (1.5, .4, 1.5)[:len(layers)], outputs, strict=True):
                deviation = torch.cat([level.flatten() for level in levels]).std()
                convolution = model.bbox_head.get_submodule(layer)
                convolution.weight.mul_(spread / deviation)
                convolution.bias.fill_(1 if layer == 'conv_reg' else 0)
    return model


def images():
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(256, (3, *size), generator=generator) for size in SIZES]


def crops():
    """Images of one size, unlike in brightness."""
    generator = torch.Generator().manual_seed(1)
    return torch.rand(3, 3, 48, 32, generator=generator) * torch.tensor([60., 150., 255.])[:, None, None, None]


def padded(raw):
    batch = torch.zeros(len(raw), 3, 40, 64)
    for i, image in enumerate(raw):
        batch[i, :, :image.shape[1], :image.shape[2]] = image
    return batch, torch.tensor([image.shape[1:] for image in raw])


def of_mmdet(model):
    """(boxes, scores, labels) of each image by the detector itself."""
    samples = [DetDataSample(metainfo=dict(img_shape=(height, width), ori_shape=(height, width), scale_factor=(1., 1.)))
               for height, width in SIZES]
    with torch.no_grad():
        samples = model.test_step(dict(inputs=images(), data_samples=samples))
    return [(x.pred_instances.bboxes, x.pred_instances.scores, x.pred_instances.labels) for x in samples]


def agree(expected, outputs):
    """Whether the detections are the same: boxes within .05 pixels, scores within 1e-4."""
    for (boxes, scores, labels), *rows in zip(expected, *outputs, strict=True):
        kept = rows[2] >= 0
        actual = [row[kept] for row in rows]
        if not torch.equal(actual[2], labels) or not torch.allclose(actual[0], boxes, rtol=0, atol=.05) or \
                not torch.allclose(actual[1], scores, rtol=0, atol=1e-4):
            return False
    return True


@pytest.mark.parametrize('kind', DETECTORS)
@pytest.mark.parametrize('agnostic', [False, True])
def test_a_detector_in_pytorch(kind, agnostic):
    model = built(DETECTORS[kind])
    if agnostic:
        model.bbox_head.test_cfg.nms.class_agnostic = True
    expected = of_mmdet(model)
    assert all(len(scores) == 10 and len(labels.unique()) > 1 for _, scores, labels in expected)
    with torch.no_grad():
        assert agree(expected, graphs.graph_of(model)(*padded(images())))


def test_fewer_detections_than_places():
    model = built(RETINANET)
    scores = of_mmdet(model)[1][1]
    model.bbox_head.test_cfg.score_thr = scores[3:5].mean().item()
    expected = of_mmdet(model)
    with torch.no_grad():
        boxes, scores, labels = graphs.graph_of(model)(*padded(images()))
    assert agree(expected, (boxes, scores, labels)) and len(expected[1][1]) < 10
    assert (labels[1][len(expected[1][1]):] == -1).all() and (scores[1][len(expected[1][1]):] == 0).all()


def test_suppression_is_greedy_in_each_image_and_class():
    """Against a loop over the boxes from the best one on."""
    generator = torch.Generator().manual_seed(0)
    corners, sides = 20 * torch.rand(2, 60, 2, generator=generator), 5 + 10 * torch.rand(2, 60, 2, generator=generator)
    boxes = torch.cat([corners, corners + sides], -1)
    scores = torch.rand(2, 60, generator=generator) - .1
    labels = torch.randint(3, (2, 60), generator=generator)
    expected = torch.zeros(2, 60, dtype=torch.bool)
    for i in range(2):
        overlaps = box_iou(boxes[i].double(), boxes[i].double())
        for j in scores[i].argsort(descending=True):
            others = expected[i] & (labels[i] == labels[i][j]) & (overlaps[j] > .3)
            expected[i, j] = scores[i][j] > 0 and not others.any()
    assert torch.equal(kept_by_nms(boxes, scores, labels, 3, .3), expected) and 10 < expected.sum() < 110


@pytest.mark.slow
@pytest.mark.parametrize('kind', DETECTORS)
def test_a_detector_in_onnx_and_pt2(kind, tmp_path):
    in_fork(check_detector, kind, tmp_path)


def check_detector(kind, folder):
    """For batches and sizes other than the traced ones."""
    model = built(DETECTORS[kind])
    graph, expected = graphs.graph_of(model), of_mmdet(model)
    write(graph, 8, folder)
    for name in ('a.onnx', 'a.pt2'):
        function = graph_function(folder / name)
        assert agree(expected, function(*padded(images()))), name
        for i in range(3):
            assert agree(expected[i:i + 1], function(*padded([images()[i]]))), (name, i)


def write(graph, divisor, folder):
    program = traced(graph, divisor)
    torch.export.save(program, folder / 'a.pt2')
    (folder / 'a.onnx').write_bytes(onnx_bytes(program, graph, dict(name='value')))


@pytest.mark.parametrize('name', ['delta2bbox', 'distance2bbox'])
def test_a_wrong_decode_is_noticed(name):
    right = getattr(graphs, name)
    model = built(RETINANET if name == 'delta2bbox' else FCOS)
    with torch.no_grad(), mock.patch.object(graphs, name, lambda priors, deltas, *args, **options: right(
            priors, deltas * 1.05, *args, **options)):
        assert not agree(of_mmdet(model), graphs.graph_of(model)(*padded(images())))


@pytest.mark.slow
@pytest.mark.parametrize('cfg', [MBCONV, CELLS], ids=['mbconv', 'cells'])
def test_a_classifier_in_onnx_and_pt2(cfg, tmp_path):
    in_fork(check_classifier, cfg, tmp_path)


def check_classifier(cfg, folder):
    model, batch = built(cfg), crops()
    samples = model.head.predict(model.extract_feat(model.data_preprocessor(dict(inputs=batch))['inputs']))
    expected = torch.stack([sample.pred_score for sample in samples]).detach()
    assert expected.std(0).min() > 1e-2  # the images differ
    write(graphs.graph_of(model), 1, folder)
    for name in ('a.pt2', 'a.onnx'):
        function = graph_function(folder / name)
        for part in (slice(3), slice(1, 2)):
            torch.testing.assert_close(function(batch[part])[0], expected[part], rtol=0, atol=1e-5)


def test_refused():
    soft = copy.deepcopy(RETINANET)
    soft['test_cfg']['nms'] = dict(type='soft_nms', iou_threshold=.5)
    large = copy.deepcopy(RETINANET)
    large['test_cfg']['min_bbox_size'] = 3
    for cfg, message in (
        (soft, r"model.test_cfg.nms=.*soft_nms.*; it must be dict\(type='nms'"),
        (large, 'model.test_cfg=.*min_bbox_size of 0'),
        (dict(MBCONV, head=dict(type='MultiLabelLinearClsHead', num_classes=3, in_channels=32)), 'model.head: Multi'),
        (dict(MBCONV, data_preprocessor=dict(tiny.NORMALISATION, pad_size_divisor=8)), 'pad_size_divisor=8: a graph'),
    ):
        with pytest.raises(ValueError, match=message):
            graphs.graph_of(MODELS.build(ConfigDict(copy.deepcopy(cfg))))
    with pytest.raises(ValueError, match='model: Linear; a graph needs'):
        graphs.graph_of(torch.nn.Linear(1, 1))
