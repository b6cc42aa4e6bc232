import importlib.util
from pathlib import Path

import pytest
import torch

from imtnas_mm.genotype import published_genotype, save_genotype
from imtnas_mm.spaces.mbconv.layout import searched_layers

ROOT = Path(__file__).parents[2]


def run(*args):
    spec = importlib.util.spec_from_file_location('tool_draw', ROOT / 'tools' / 'draw.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main([str(arg) for arg in args])


def test_architecture_file(tmp_path, capsys):
    save_genotype(published_genotype('fairnas_c'), tmp_path / 'architecture.json')
    run(tmp_path / 'architecture.json')
    assert capsys.readouterr().out.split() == [str(tmp_path / f'architecture{end}') for end in ('.svg', '.png')]
    assert (tmp_path / 'architecture.svg').read_text().count('MBConv3 3×3</text>') == 11
    assert (tmp_path / 'architecture.png').read_bytes().startswith(b'\x89PNG')


def test_published_name(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run('fairnas_largest')
    assert capsys.readouterr().out.split() == ['fairnas_largest.svg', 'fairnas_largest.png']
    assert (tmp_path / 'fairnas_largest.svg').read_text().count('MBConv6 7×7</text>') == 19
    run('fairnas_smallest', '--out', 'pictures/small')
    assert (tmp_path / 'pictures' / 'small.svg').read_text().count('MBConv3 3×3</text>') == 19


def test_cells_by_name_and_by_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run('darts_v2')
    assert capsys.readouterr().out.split() == ['darts_v2.svg', 'darts_v2.png']
    svg = (tmp_path / 'darts_v2.svg').read_text()
    assert svg.count('sep conv 3×3</text>') == 5 and svg.count('max pool 3×3</text>') == 5
    assert (tmp_path / 'darts_v2.png').read_bytes().startswith(b'\x89PNG')
    save_genotype(published_genotype('darts_v2'), tmp_path / 'architecture.json')
    run('architecture.json')
    assert (tmp_path / 'architecture.svg').read_text() == svg


def test_search_checkpoint(tmp_path, capsys):
    config = tmp_path / 'search.py'
    config.write_text("default_scope = 'imtnas_mm'\n"
                      "model = dict(search_space=dict(type='MBConvSupernet', layout='proxyless21', width_mult=.5))\n")
    state = {}
    for layer in searched_layers('proxyless21'):
        alpha = torch.zeros(len(layer.choices))
        alpha[-1] = 3.  # the identity where it is legal
        state[f'architecture.alphas.{layer.name}'] = alpha
    torch.save(dict(meta=dict(iter=9), state_dict=state), tmp_path / 'iter_9.pth')
    run(tmp_path / 'iter_9.pth', '--config', config)
    assert capsys.readouterr().out.split() == [str(tmp_path / f'iter_9{end}') for end in ('.svg', '.png')]
    svg = (tmp_path / 'iter_9.svg').read_text()
    assert svg.count('identity</text>') == 15 and svg.count('MBConv6 7×7</text>') == 6
    e3 = torch.tensor(3.).exp().item()
    assert svg.count(f'×{7 * e3 / (e3 + 6):.2f}</text>') == 15
    assert svg.count(f'×{6 * e3 / (e3 + 5):.2f}</text>') == 6
    assert '160 ch' in svg and 'search.py, iteration 9' in svg
    with pytest.raises(SystemExit, match=r'iter_9.pth: not a checkpoint of .*alphas.layer20'):
        run(tmp_path / 'iter_9.pth', '--config', config, '--cfg-options', 'model.search_space.layout=fairnas19')


def test_unknown_source():
    with pytest.raises(SystemExit, match="draw: architecture: 'fairnas_d'.*fairnas_a, fairnas_b"):
        run('fairnas_d')
    with pytest.raises(SystemExit, match="source: 'no/such.json' is not a file"):
        run('no/such.json')


def test_checkpoint_without_config(tmp_path):
    torch.save(dict(state_dict={}), tmp_path / 'a.pth')
    with pytest.raises(SystemExit, match='a.pth: .*--config'):
        run(tmp_path / 'a.pth')


def test_cfg_options_need_a_config(capsys):
    with pytest.raises(SystemExit):
        run('fairnas_a', '--cfg-options', 'a=1')
    assert '--cfg-options needs --config' in capsys.readouterr().err
