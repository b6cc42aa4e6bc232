from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from imtnas_mm.analysis.complexity import count_parameters
from imtnas_mm.analysis.derive import Derived
from imtnas_mm.engine import DropPathHook
from imtnas_mm.genotype import load_genotype, published_genotype, save_genotype
from imtnas_mm.networks.build import build_network
from imtnas_mm.networks.fusion_backbone import FusedBackbone
from imtnas_mm.networks.shared import shared_networks
from imtnas_mm.spaces import CellNet, MBConvNet

TASKS = ['cls', 'det', 'seg']
MBCONV, CELLS = dict(width_mult=.25), dict(channels=4, layers=5)
NETWORKS = dict(fairnas_a=MBCONV, darts_v2=CELLS, pr_darts=CELLS)
EDGES = [['cls', 1, 'det', 0], ['cls', 1, 'seg', 1], ['cls', 2, 'det', 2], ['det', 0, 'seg', 0], ['det', 2, 'cls', 1]]


def fused(name, edges=EDGES):
    return replace(published_genotype(name), sharing=dict(method='fusion', tasks=TASKS, edges=edges))


def networks_of(name, edges=EDGES, task_options=None, seed=0, **options):
    """With random convolutions on the edges."""
    torch.manual_seed(seed)
    actual = shared_networks(fused(name, edges), task_options, **{**NETWORKS[name], **options})
    with torch.no_grad():
        for key, parameter in actual.named_parameters():
            if '.fusion.' in key:
                parameter += .1 * torch.randn_like(parameter)
    return actual


def size(name):
    return 64 if name == 'fairnas_a' else 16


@pytest.mark.parametrize('name', NETWORKS)
def test_parameters_are_the_sum_over_networks_and_edges(name):
    single = build_network(published_genotype(name), **NETWORKS[name])
    widths = single.stage_channels
    expected = 3 * count_parameters(single) + sum(widths[s] * widths[r] for _, s, _, r in EDGES)
    assert Derived(fused(name), NETWORKS[name]).total_parameters() == expected
    assert count_parameters(networks_of(name)) == expected


def plain_features(networks, edges, x):
    """Every stage of every network by itself: {(task, stage): map after its edges}."""
    streams = {task: network.stages(x, []) for task, network in networks.items()}
    own, sent, actual = {}, dict.fromkeys(networks), {}
    for stage in range(len(next(iter(networks.values())).stage_channels)):
        own.update({(task, stage): stream.send(sent[task]) for task, stream in streams.items()})
        for task in networks:
            sent[task] = own[task, stage]
            for (target, at, source, source_stage), convolution in edges.items():
                if (target, at) == (task, stage):
                    x = F.interpolate(own[source, source_stage], sent[task].shape[2:], mode='bilinear')
                    sent[task] = sent[task] + convolution(x)
            actual[task, stage] = sent[task]
    return actual


@pytest.mark.parametrize('name', NETWORKS)
def test_features_are_those_of_a_plain_loop(name):
    networks = networks_of(name, out_indices=(0, 1, 2)).double().eval()
    plain = {task: backbone.own for task, backbone in networks.items() if isinstance(backbone, FusedBackbone)}
    assert isinstance(networks['seg'], CellNet | MBConvNet)  # no edge leads to it
    plain['seg'] = networks['seg']
    convolutions = {edge: backbone.fusion[key] for backbone in networks.values()
                    if isinstance(backbone, FusedBackbone) for edge, key in backbone.edges.items()}
    assert sorted(map(list, convolutions)) == EDGES
    x = torch.rand(2, 3, size(name), size(name), dtype=torch.float64)
    expected = plain_features(plain, convolutions, x)
    for task, backbone in networks.items():
        for stage, feature in enumerate(backbone(x)):
            torch.testing.assert_close(feature, expected[task, stage], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize('name', NETWORKS)
def test_without_edges_they_are_the_plain_networks(name):
    networks = networks_of(name, [], out_indices=(0, 2)).eval()
    x = torch.rand(2, 3, size(name), size(name))
    for task, network in networks.items():
        plain = build_network(published_genotype(name), out_indices=(0, 2), **NETWORKS[name]).eval()
        plain.load_state_dict(network.state_dict())
        assert type(network) is type(plain), task
        assert all(torch.equal(value, other) for value, other in zip(network(x), plain(x), strict=True))
    assert len({id(p) for p in networks.parameters()}) == 3 * len(list(networks['cls'].parameters()))


def test_convolutions_of_no_weight_leave_the_plain_network():
    networks = networks_of('darts_v2').eval()
    with torch.no_grad():
        for convolution in networks['cls'].fusion.values():
            convolution.weight.zero_()
    x = torch.rand(2, 3, 16, 16)
    assert torch.equal(networks['cls'](x)[0], networks['cls'].own(x)[0])


def test_a_task_runs_what_it_needs_and_shares_it():
    own = dict(cls=dict(out_indices=(1, )), det=dict(out_indices=(2, )), seg=dict(out_indices=(0, )))
    networks = networks_of('darts_v2', task_options=own)
    cls, det = networks['cls'], networks['det']
    assert sorted(cls.edges) == [('cls', 1, 'det', 0), ('cls', 1, 'seg', 1)]
    assert list(cls.networks) == TASKS
    # cls goes on to its stage 1, whose map is taken before its fusion
    assert sorted(det.edges) == [('det', 0, 'seg', 0), ('det', 2, 'cls', 1)]
    assert list(det.networks) == TASKS
    calls = []
    for task in TASKS:
        network = networks['seg'] if task == 'seg' else networks[task].own
        for index, cell in enumerate(network.cells):
            cell.register_forward_hook(lambda *_, key=(task, index): calls.append(key))
    cls.eval()(torch.rand(2, 3, 16, 16))
    # 5 cells reduce at the 2nd and the 4th, so that stage 0 is the first cell, stage 1 the next two
    assert sorted(calls) == [('cls', 0), ('cls', 1), ('cls', 2), ('det', 0), ('seg', 0), ('seg', 1), ('seg', 2)]
    assert cls.networks['det'] is det.own and cls.networks['seg'] is networks['seg'] is det.networks['seg']
    assert cls.out_channels == (32, ) and cls.out_indices == (1, ) and cls.genotype.space == 'darts'


def test_edges_that_several_tasks_need_are_the_same():
    networks = networks_of('darts_v2', [['cls', 0, 'seg', 0], ['det', 2, 'cls', 1]])
    key = 'cls_0_from_seg_0'
    assert networks['cls'].fusion[key] is networks['det'].fusion[key]
    assert 'det_2_from_cls_1' not in networks['cls'].fusion
    assert list(networks['cls'].networks) == ['cls', 'seg'] and list(networks['det'].networks) == TASKS


@pytest.mark.parametrize('name', NETWORKS)
def test_state_dict(name):
    first, other = networks_of(name).eval(), networks_of(name, seed=1).eval()
    names = set(first['cls'].state_dict())
    assert all(key.split('.')[0] in ('networks', 'fusion') for key in names)
    assert 'fusion.cls_1_from_det_0.weight' in names
    x = torch.rand(1, 3, size(name), size(name))
    assert not torch.equal(first['cls'](x)[0], other['cls'](x)[0])
    other['cls'].load_state_dict(first['cls'].state_dict())
    assert torch.equal(first['cls'](x)[0], other['cls'](x)[0])


def test_auxiliary_outputs_are_the_own_networks():
    networks = networks_of('darts_v2', task_options=dict(cls=dict(auxiliary=True), det=dict(auxiliary=True), seg={}))
    x = torch.rand(2, 3, 16, 16)
    actual = []
    networks['cls'].own.cells[3].register_forward_hook(lambda _, __, output: actual.append(output))
    auxiliary, last = networks['cls'].train()(x)
    assert len(actual) == 1 and auxiliary is actual[0] and last.shape == auxiliary.shape
    assert len(networks['cls'].eval()(x)) == 1


def test_training_mode_and_freezing():
    networks = networks_of('darts_v2', frozen_stages=2, norm_eval=True)
    for backbone in networks.values():
        backbone.train()
    for key, convolution in networks['cls'].fusion.items():
        frozen = key.startswith(('cls_1', 'det_0'))  # stages 0 and 1 are
        assert convolution.weight.requires_grad != frozen
    for network in (networks['cls'].own, networks['cls'].networks['det']):
        assert not any(p.requires_grad for p in network.cells[:3].parameters())
        assert all(p.requires_grad for p in network.cells[3:].parameters())
        norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        assert norms and not any(norm.training for norm in norms)


def test_convolutions_start_at_their_share_of_the_identity():
    networks = shared_networks(fused('darts_v2'), **CELLS)
    for key, share in {'cls_1_from_det_0': .05, 'cls_1_from_seg_1': .05, 'cls_2_from_det_2': .1}.items():
        weight = networks['cls'].fusion[key].weight[:, :, 0, 0]
        torch.testing.assert_close(weight, share * torch.eye(*weight.shape))


def test_networks_are_initialised_once():
    networks = networks_of('fairnas_a')
    networks['cls'].init_weights()
    first = networks['cls'].networks['det'].stem.conv.weight.clone()
    networks['det'].init_weights()
    assert torch.equal(first, networks['det'].own.stem.conv.weight)
    assert networks['cls'].is_init and networks['det'].own.is_init and networks['seg'].is_init


def test_drop_path_reaches_all_networks():
    networks = networks_of('darts_v2', drop_path=.4)
    hook = DropPathHook()
    hook.before_train(SimpleNamespace(model=networks['cls']))
    assert {id(n) for n in hook.networks} == {id(n) for n in networks['cls'].networks.values()}
    for network in hook.networks:
        assert network.scale_drop_path(.5) == .2
    assert all(cell.drop_path.drop_prob == .2 for n in networks['cls'].networks.values() for cell in n.cells)


def test_other_options_must_agree():
    with pytest.raises(ValueError, match=r'det\.backbone\.channels: 8, which is 4 for cls; tasks share'):
        shared_networks(fused('darts_v2'), dict(cls={}, det=dict(channels=8), seg={}), channels=4, layers=3)


def test_the_file_keeps_it(tmp_path):
    genotype = fused('fairnas_a')
    save_genotype(genotype, tmp_path / 'architecture.json')
    assert load_genotype(tmp_path / 'architecture.json') == genotype
    assert genotype.summary().endswith(
        'fusion of cls,det,seg det.0>cls.1 seg.1>cls.1 det.2>cls.2 seg.0>det.0 cls.1>det.2')
    assert fused('fairnas_a', []).summary().endswith('fusion of cls,det,seg none')
