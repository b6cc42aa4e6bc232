"""Derived networks refuse the weights of another architecture, and take their architecture from a checkpoint."""
import copy

import pytest
import torch
from mmengine.runner import load_checkpoint

from imtnas_mm.checkpoint import CheckpointError, read_checkpoint
from imtnas_mm.compat import install
from imtnas_mm.compat.modules import state_metadata
from imtnas_mm.engine.export import exported, write_exported
from imtnas_mm.genotype import GenotypeError, published_genotype
from imtnas_mm.spaces.cells.network import CellNet

PRETRAINED = dict(type='Pretrained', prefix='backbone.')


def network(architecture='darts_v2', **options):
    return CellNet(architecture, channels=4, layers=3, **options)


def other():
    """It has the same weights as DARTS-V2."""
    data = published_genotype('darts_v2').to_dict()
    assert data['architecture']['normal'][2][1][0] == 'skip_connect'
    data['architecture']['normal'][2][1][0] = 'max_pool_3x3'
    return data


@pytest.fixture
def checkpoint(tmp_path):
    net = torch.nn.ModuleDict(dict(backbone=network()))
    path = tmp_path / 'trained.pth'
    meta = dict(architecture=published_genotype('darts_v2').to_dict())
    torch.save(dict(meta=meta, state_dict=net.state_dict()), path)
    return path


def test_weights_are_told_apart_where_all_shapes_are_equal(checkpoint):
    """By torch, by mmengine's loader, which only logs other faults, and as a pretrained backbone."""
    state = network().state_dict()
    unlike = network(other())
    assert {name: x.shape for name, x in unlike.state_dict().items()} == {name: x.shape for name, x in state.items()}
    message = r"of another architecture: here architecture.normal\[2\]\[1\]\[0\]: 'max_pool_3x3', there 'skip_connect'"
    with pytest.raises(CheckpointError, match=f'^state dict for CellNet: .*{message}'):
        unlike.load_state_dict(state)
    with pytest.raises(CheckpointError, match=f'^state dict for backbone: .*{message}'):
        load_checkpoint(torch.nn.ModuleDict(dict(backbone=unlike)), str(checkpoint))
    for name in ('trained.pth', 'without.pth'):
        saved = torch.load(checkpoint, weights_only=True)
        torch.save(saved if name == 'trained.pth' else dict(state_dict=saved['state_dict']), checkpoint.with_name(name))
        pretrained = network(other(), init_cfg=dict(PRETRAINED, checkpoint=str(checkpoint.with_name(name))))
        with pytest.raises((CheckpointError, GenotypeError), match=rf"{name}.*normal\[2\]\[1\]\[0\]: 'max_pool_3x3'"):
            pretrained.init_weights()


def test_weights_of_a_copy_are_checked_too():
    unlike = copy.deepcopy(network(other()))
    with pytest.raises(CheckpointError, match='of another architecture'):
        unlike.load_state_dict(network().state_dict())


def test_weights_of_another_program_are_compared_entry_by_entry():
    """Their state dicts record no architecture; a loader that isn't strict would leave random weights."""
    state = dict(network().state_dict())
    net = network()
    net.load_state_dict(state)
    assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())
    for changed, message in (
        ({name: x for name, x in state.items() if 'cells.1' not in name}, r'cells\.1.*: is missing'),
        ({}, 'is missing'),
        (dict(state, **{'cells.9.edges.weight': torch.zeros(1)}), r'cells\.9.*: this network has no such layer'),
    ):
        with pytest.raises(CheckpointError, match=message):
            net.load_state_dict(changed, strict=False)
    with pytest.raises(CheckpointError, match=r': shape \(.*here it is'):
        CellNet('darts_v2', channels=8, layers=3).load_state_dict(state, strict=False)


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_an_export_keeps_it(checkpoint, tmp_path, suffix):
    install()
    path = tmp_path / f'export.{suffix}'
    write_exported(exported(str(checkpoint)), str(path))
    recorded = state_metadata(read_checkpoint(path)['state_dict'])['backbone']['architecture']
    assert recorded == dict(space='darts', architecture=published_genotype('darts_v2').architecture)
    with pytest.raises(CheckpointError, match='of another architecture'):
        load_checkpoint(torch.nn.ModuleDict(dict(backbone=network(other()))), str(path))


def test_the_architecture_of_a_pretrained_backbone(checkpoint, tmp_path):
    net = network(None, init_cfg=dict(PRETRAINED, checkpoint=str(checkpoint)))
    assert net.genotype == published_genotype('darts_v2')
    net.init_weights()
    state = torch.load(checkpoint, weights_only=True)['state_dict']
    assert all(torch.equal(tensor, state[f'backbone.{name}']) for name, tensor in net.state_dict().items())
    torch.save(dict(state_dict=state), tmp_path / 'without.pth')
    for init_cfg, message in (
        (None, 'architecture: None; it may be left out where init_cfg=dict'),
        (dict(PRETRAINED, checkpoint=str(tmp_path / 'without.pth')), 'without.pth of init_cfg does not hold its arch'),
    ):
        with pytest.raises(GenotypeError, match=message):
            network(None, init_cfg=init_cfg)
