"""Channels of necks and heads come from the search space, and wrong ones are refused before anything is built."""
import copy

import pytest
from mmengine.config import Config

from helpers import tiny_run as tiny
from helpers.scopes import own_scope
from imtnas_mm.config.channels import backbone_channels, fill_channels
from imtnas_mm.engine.launch.complete import complete, models_of

MAPS = (8, 24, 32)


def filled(model, maps=MAPS, scope='mmdet'):
    model = copy.deepcopy(model)
    fill_channels(model, maps, scope, 'model')
    return model


def channels_in(model):
    """``in_channels`` of the parts, in order."""
    parts = [part for name in ('neck', 'head', 'bbox_head', 'rpn_head') for part in (
        model[name] if isinstance(model.get(name), list) else [model.get(name, {})])]
    return [part.get('in_channels') for part in parts if 'type' in part]


FPN = dict(type='FPN', out_channels=16, num_outs=3)
RETINA = dict(type='RetinaHead', num_classes=3)
CASES = [
    (dict(neck=FPN, bbox_head=RETINA), 'mmdet', [[8, 24, 32], 16]),
    (dict(neck=[FPN, dict(type='BFP', num_levels=3)], bbox_head=RETINA), 'mmdet', [[8, 24, 32], 16, None]),
    (dict(neck=FPN, rpn_head=dict(type='RPNHead')), 'mmdet', [[8, 24, 32], 16]),
    (dict(neck=dict(type='FPN', out_channels=4), bbox_head=dict(RETINA, in_channels=None)), 'mmdet', [[8, 24, 32], 4]),
    (dict(head=dict(type='imtnas_mm.ImageNetHead', num_classes=3)), 'mmpretrain', [32]),
    (dict(neck=dict(type='GlobalAveragePooling'), head=dict(type='LinearClsHead', num_classes=3)), 'mmpretrain',
     [None, 32]),
    (dict(neck=dict(type='LinearNeck', out_channels=7), head=dict(type='LinearClsHead', num_classes=3)), 'mmpretrain',
     [32, 7]),
    (dict(bbox_head=RETINA), 'mmdet', [None]),  # several maps and no neck: nothing is known
]


@pytest.mark.parametrize('model, scope, expected', CASES)
def test_missing_channels(model, scope, expected):
    first = filled(model, scope=scope)
    assert channels_in(first) == expected
    assert filled(first, scope=scope) == first  # right ones pass


@pytest.mark.parametrize('model, scope, message', [
    (dict(neck=dict(FPN, in_channels=[40, 96, 320])), 'mmdet', r'^model\.neck\.in_channels=\[40, 96, 320\]: the maps '
     r'of the backbone have \[8, 24, 32\] channels; set it to \[8, 24, 32\], or leave it out$'),
    (dict(neck=FPN, bbox_head=dict(RETINA, in_channels=256)), 'mmdet', r'^model\.bbox_head\.in_channels=256: the maps '
     r'of model\.neck have 16 channels; set it to 16'),
    (dict(head=dict(type='imtnas_mm.ImageNetHead', in_channels=320)), 'mmpretrain', r'^model\.head\.in_channels=320: '
     'the maps of the backbone have 32 channels; set it to 32'),
])
def test_wrong_channels(model, scope, message):
    with pytest.raises(ValueError, match=message):
        filled(model, scope=scope)


def test_of_a_supernet_and_of_its_network():
    space = dict(tiny.SPACE, type='imtnas_mm.MBConvSupernet', layout=tiny.LAYOUT)
    assert backbone_channels(dict(space, out_indices=(2, 5)), 'mmdet') == (8, 32)
    assert backbone_channels(space, 'mmdet') == (32, )
    network = dict(type='imtnas_mm.MBConvNet', architecture='fairnas_c', out_indices=(5, 1), width_mult=.25)
    assert backbone_channels(network, 'mmdet') == (16, 80)
    assert backbone_channels(dict(network, out_indices=(6, )), 'mmdet') is None  # the network refuses it
    assert backbone_channels(dict(type='mmdet.ResNet', depth=50), 'mmdet') is None


@pytest.mark.parametrize('name', [
    'imtnas_cls_det', 'imtnas_cifar_darts_small', 'imtnas_cifar_nasbench201', 'retrain/mbconv_imagenet',
    'retrain/small_retinanet_coco', 'retrain/cells_cifar10'])
def test_shipped_configs_have_the_same_channels(name):
    """Nothing in them changes, without any data; channels that are taken away come back."""
    cfg = Config.fromfile(tiny.ROOT / 'configs' / f'{name}.py')
    shipped = copy.deepcopy(cfg.to_dict())
    complete(cfg)
    assert cfg.to_dict() == shipped
    for place, model, backbone, scope in models_of(cfg):
        before = copy.deepcopy(model)
        channels = backbone_channels(backbone, scope)
        for part in ('neck', 'head', 'bbox_head'):
            model.get(part, {}).pop('in_channels', None)
        fill_channels(model, channels, scope, place)
        assert model == before


def test_a_run_refuses_them_before_it_builds_anything(data, tmp_path):
    config = tiny.write_config(tmp_path / 'tiny.py', 'imtnas_demo.py', **tiny.search_fields(data))
    cfg = tiny.loaded(config, '--cfg-options', 'model.tasks.det.model.neck.in_channels=[40,320]')
    with own_scope(), pytest.raises(ValueError, match=r'^model\.tasks\.det\.model\.neck\.in_channels=\[40, 320\]: '
                                    r'the maps of the backbone have \[8, 32\] channels'):
        complete(cfg)
