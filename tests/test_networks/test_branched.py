from dataclasses import replace
from pathlib import Path

import pytest
import torch

from imtnas_mm.analysis.complexity import count_parameters
from imtnas_mm.analysis.derive import Derived
from imtnas_mm.genotype import GenotypeError, genotype_from_dict, load_genotype, published_genotype, save_genotype
from imtnas_mm.networks.build import build_network
from imtnas_mm.networks.shared import shared_networks
from imtnas_mm.spaces import CellNet, MBConvNet
from imtnas_mm.spaces.mbconv.layout import mbconv_blocks

TASKS = ['cls', 'det', 'seg']
CASES = {  # published architecture -> options of its network, names of the searched blocks
    'fairnas_a': (dict(width_mult=.25), list(mbconv_blocks('fairnas19'))),
    'darts_v2': (dict(channels=4, layers=20), ['stem', *(f'cell{i + 1}' for i in range(8))]),
    'pc_darts_cifar': (dict(channels=4, layers=8), ['stem', *(f'cell{i + 1}' for i in range(3))]),
}


def branched(name, seed=0):
    options, blocks = CASES[name]
    copies = torch.randint(0, 3, (len(blocks), 3), generator=torch.Generator().manual_seed(seed)).tolist()
    sharing = dict(method='branching', tasks=TASKS, blocks=dict(zip(blocks, copies, strict=True)))
    return replace(published_genotype(name), sharing=sharing), options


@pytest.mark.parametrize('name', CASES)
def test_parameters_are_the_sum_over_the_branches(name):
    genotype, options = branched(name)
    one = build_network(genotype, **options)
    paths = one.blocks(list(genotype.sharing['blocks']))
    sizes = {block: sum(count_parameters(one.get_submodule(path)) for path in inside)
             for block, inside in paths.items()}
    assert sum(sizes.values()) == count_parameters(one)
    expected = sum(len(set(copies)) * sizes[block] for block, copies in genotype.sharing['blocks'].items())
    assert count_parameters(one) < expected < 3 * count_parameters(one)
    assert Derived(genotype, options).total_parameters() == expected


@pytest.mark.parametrize('name', CASES)
def test_tasks_share_the_blocks_of_one_copy_alone(name):
    genotype, options = branched(name)
    networks = shared_networks(genotype, **options)
    paths = networks['cls'].blocks(list(genotype.sharing['blocks']))
    for block, copies in genotype.sharing['blocks'].items():
        for path in paths[block]:
            same = networks['cls'].get_submodule(path) is networks['seg'].get_submodule(path)
            assert same == (copies[0] == copies[2])
    assert networks.eval()['det'](torch.zeros(1, 3, 32, 32))[-1].isfinite().all()


def test_cells_take_the_branches_of_their_resolution():
    genotype, options = branched('darts_v2')
    actual = build_network(genotype, **options).blocks(list(genotype.sharing['blocks']))
    # 8 cells reduce at the 3rd and the 6th, 20 at the 7th and the 14th
    assert actual['cell1'] == ('cells.0', 'cells.1', 'cells.2')
    assert actual['cell2'] == ('cells.3', 'cells.4', 'cells.5')
    assert (actual['cell3'], actual['cell6']) == (('cells.6', ), ('cells.13', ))
    assert actual['cell5'] == ('cells.10', 'cells.11', 'cells.12')


def test_the_file_keeps_it(tmp_path):
    genotype, _ = branched('fairnas_a')
    save_genotype(genotype, tmp_path / 'architecture.json')
    assert load_genotype(tmp_path / 'architecture.json') == genotype
    assert 'branches of cls,det,seg stem:' in genotype.summary()
    assert 'sharing' not in published_genotype('fairnas_a').to_dict()


@pytest.mark.parametrize('field, value, message', [
    ('method', 'split', r'file: sharing\.method: .split.; known'),
    ('tasks', ['a', 'a', 'b'], r'file: sharing\.tasks: .*different names'),
    ('blocks', [], r'file: sharing\.blocks: '),
    ('stem', [0, 1], r'file: sharing\.blocks\.stem: \[0, 1\]; .*3 copies'),
    ('stem', [0, 1, 3], r'file: sharing\.blocks\.stem: .*from 0 to 2'),
    ('stem', [0, True, 1], r'file: sharing\.blocks\.stem'),
    ('cell9', [0, 0, 0], r'file: sharing\.blocks\.cell9: .*unknown field'),
])
def test_bad_fields_are_named(field, value, message):
    genotype, _ = branched('fairnas_a')
    data = genotype.to_dict()
    (data['sharing'] if field in data['sharing'] else data['sharing']['blocks'])[field] = value
    with pytest.raises(GenotypeError, match=message):
        genotype_from_dict(data, 'file')


def test_options_of_a_task():
    genotype, options = branched('darts_v2')
    own = dict(cls=dict(auxiliary=True), det=dict(out_indices=(0, 1, 2)), seg={})
    networks = shared_networks(genotype, own, **options)
    assert (networks['cls'].auxiliary, networks['det'].out_indices, networks['seg'].out_indices) == (
        True, (0, 1, 2), (2, ))
    with pytest.raises(ValueError, match=r'seg\.backbone\.norm_eval: True, which is None for cls; tasks share'):
        shared_networks(genotype, dict(own, seg=dict(norm_eval=True)), **options)
    with pytest.raises(ValueError, match=r"sharing\.tasks: .*; the networks asked for are of \['cls', 'det'\]"):
        shared_networks(genotype, dict(cls={}, det={}))
    with pytest.raises(ValueError, match='architecture: sharing: is missing'):
        shared_networks(published_genotype('darts_v2'))


def test_one_network_by_itself_warns(monkeypatch):
    said = []
    monkeypatch.setattr('imtnas_mm.networks.derived.print_log', lambda text, *_: said.append(text))
    genotype, options = branched('fairnas_a')
    shared_networks(genotype, **options)
    build_network(genotype, **options)
    assert not said
    MBConvNet(genotype, **options)
    assert len(said) == 1 and "sharing: the tasks ['cls', 'det', 'seg'] share" in said[0]
    assert 'configs/retrain/joint_mbconv_cls_det.py trains them together' in said[0]
    CellNet(branched('darts_v2')[0], channels=4, layers=3)
    assert 'configs/retrain/joint_cells_cifar.py trains' in said[1]
    for name in ('joint_mbconv_cls_det', 'joint_cells_cifar'):
        assert (Path(__file__).parents[2] / 'configs' / 'retrain' / f'{name}.py').is_file()
