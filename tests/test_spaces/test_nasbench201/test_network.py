"""The derived network of NAS-Bench-201: the benchmark's counts, features, and what it is a backbone of."""
import itertools

import pytest
import torch
from mmengine.hub import get_config
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import init_default_scope
from torch import nn

from helpers.detector_check import check_trains_and_predicts
from imtnas_mm.analysis.complexity import count_macs, count_parameters
from imtnas_mm.genotype import Genotype
from imtnas_mm.networks.shared import shared_networks
from imtnas_mm.spaces import NASBench201Net, NASBench201Supernet

CONV_3, CONV_1, SKIP = 'nor_conv_3x3', 'nor_conv_1x1', 'skip_connect'


def text(operations):
    return '|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|'.format(*operations)


def classifier(architecture, classes):
    return nn.Sequential(NASBench201Net(architecture), Pool(), nn.Linear(64, classes))


class Pool(nn.Module):

    def forward(self, features):
        return features[0].mean((2, 3))


@pytest.mark.parametrize('operations, ten, hundred, macs', [
    ([SKIP] * 6, 73_306, 79_156, 7_783_040),
    ([CONV_3, CONV_1, CONV_3, SKIP, CONV_3, CONV_3], 1_073_466, 1_079_316, 153_272_960),
    ([SKIP] + [CONV_3] * 5, 1_288_506, 1_294_356, 184_730_240),
    ([CONV_3] * 6, 1_531_546, 1_537_396, 220_119_680),
])
def test_counts_of_the_benchmark(operations, ten, hundred, macs):
    for order in (operations, operations[::-1]):
        assert count_parameters(classifier(text(order), 100)) == hundred
        model = classifier(text(order), 10)
        assert count_parameters(model) == ten and count_macs(model, (3, 32, 32)) == macs


def test_all_operations_and_states_without_an_input():
    x = torch.randn(2, 3, 9, 12)
    for shift in range(5):
        operations = list(itertools.islice(itertools.cycle(
            ['none', 'avg_pool_3x3', SKIP, CONV_1, CONV_3]), shift, shift + 6))
        features = NASBench201Net(text(operations), channels=4, cells=1, out_indices=(0, 1, 2))(x)
        assert [tuple(y.shape) for y in features] == [(2, 4, 9, 12), (2, 8, 5, 6), (2, 16, 3, 3)]
    cell = NASBench201Net(text(['none'] * 6), channels=4, cells=1).cells[0]
    assert torch.equal(cell(torch.ones(1, 4, 2, 2)), torch.zeros(1, 4, 2, 2)) and not list(cell.parameters())


def test_a_cell_is_its_formula():
    net = NASBench201Net(text([CONV_3, 'avg_pool_3x3', SKIP, 'none', CONV_1, SKIP]), channels=4, cells=1)
    cell, x = net.cells[0], torch.randn(2, 4, 6, 6)
    first = cell.edges['state1_nor_conv_3x3_0'](x)
    second = nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False) + first
    torch.testing.assert_close(cell(x), cell.edges['state3_nor_conv_1x1_1'](first) + second)


def test_stages_are_frozen():
    net = NASBench201Net('nasbench201_resnet', channels=4, cells=2, frozen_stages=1, norm_eval=True).train()
    frozen = {name.rpartition('.')[0].split('.')[1] for name, p in net.named_parameters()
              if name.startswith('cells.') and not p.requires_grad}
    assert frozen == {'0', '1'} and not any(p.requires_grad for p in net.stem.parameters())
    assert not any(module.training for module in net.modules() if isinstance(module, nn.BatchNorm2d))
    assert net.out_channels == (16, )


@pytest.mark.parametrize('searched, built', [(1, 5), (2, 3), (5, 5)])
def test_blocks_of_a_search_network_are_all_of_this_one(searched, built):
    net = NASBench201Net('nasbench201_resnet', channels=4, cells=built)
    blocks = net.blocks(list(NASBench201Supernet(2, searched).blocks()))
    paths = [path for own in blocks.values() for path in own]
    assert sorted(paths) == sorted(['stem', 'last', *(f'cells.{i}' for i in range(len(net.cells)))])
    for number in (1, 2):
        reduction = f'cell{number * (searched + 1)}'
        assert blocks[reduction] == (f'cells.{number * (built + 1) - 1}', )


def test_tasks_share_blocks():
    names = list(NASBench201Supernet(2, 1).blocks())
    genotype = Genotype(
        'nasbench201', NASBench201Net('nasbench201_resnet').genotype.architecture,
        sharing=dict(method='branching', tasks=['a', 'b'], blocks={name: [0, int(i > 2)] for i, name in
                                                                  enumerate(names)}))
    one, other = shared_networks(genotype, channels=4, cells=2).values()
    assert one.cells[1] is other.cells[1] and one.cells[3] is not other.cells[3] and one.stem is other.stem


def test_backbone_of_a_detector():
    init_default_scope('mmdet')
    cfg = get_config('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py').model
    cfg.backbone = dict(type='imtnas_mm.NASBench201Net', architecture='nasbench201_best_cifar100', channels=4, cells=1,
                        stem='imagenet', out_indices=(0, 1, 2))
    cfg.neck = dict(cfg.neck, in_channels=[4, 8, 16], out_channels=8, start_level=0)
    cfg.bbox_head = dict(cfg.bbox_head, in_channels=8, feat_channels=8, num_classes=3, stacked_convs=1)
    check_trains_and_predicts(ROOT_MODELS.build(cfg), 64, 96)
