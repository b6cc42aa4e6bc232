"""tools/measure_latency.py: from a config to a table that the search of this config takes."""
import json

import pytest

from helpers import tiny_run as tiny
from imtnas_mm.algorithms.architecture_step.cost_term import CostTerm
from imtnas_mm.analysis.derive import space_of_config
from imtnas_mm.architecture import Architecture

SPACE = dict(type='NASBench201Supernet', channels=4, cells=1)


def test_from_a_config_to_the_search(tmp_path, capsys):
    path = tmp_path / 'latency.json'
    cost = dict(type='Latency', table=str(path), shape=16, network=dict(channels=4, cells=1))
    config = tiny.write_config(tmp_path / 'search.py', None, model=dict(search_space=SPACE, cost=cost),
                               default_scope='imtnas_mm')
    tiny.tool('measure_latency').main([str(config), '--out', str(path), '--repeats', '2', '--networks', '4'])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('space: nasbench201, 24 candidates, ') and lines[0].endswith(' by torch, image 16 x 16')
    assert sum(' ms measured, ' in line for line in lines) == 2 and lines[-1] == f'written: {path}'
    assert lines[-2].startswith('mean error: ')
    data = json.loads(path.read_text())
    assert {'backend', 'device', 'name', 'torch', 'threads', 'repeats'} == set(data['measured'])
    assert data['network'] == cost['network'] and len(data['networks']) == 2
    space, cfg = space_of_config(str(config))
    alphas = Architecture(space.alpha_shapes(), 1., 0).named_alphas()
    term = CostTerm(space, alphas, cfg.model.search_space, **cfg.model.cost)
    convolution = max(entry['milliseconds'] for entry in data['candidates'])
    assert term.range[0] >= data['fixed']['milliseconds'] - 1e-9 and term.range[1] > term.range[0] + convolution
    assert convolution > 0


@pytest.mark.parametrize('args, told', [
    (['--shape', '0'], '--shape 0: it must be H or H W'),
    (['--networks', '1'], '--networks 1: it must be at least 2'),
    (['--backend', 'onnxruntime', '--device', 'cuda'], "device='cuda': the backend onnxruntime runs on 'cpu'"),
    (['--cfg-options', 'model.search_space=None'], 'model.search_space: is missing'),
])
def test_what_is_refused(tmp_path, capsys, args, told):
    config = tiny.write_config(tmp_path / 'search.py', None, model=dict(search_space=SPACE), default_scope='imtnas_mm')
    with pytest.raises(SystemExit) as error:
        tiny.tool('measure_latency').main([str(config), '--out', str(tmp_path / 'a.json'), *args])
    assert told in f'{error.value} {capsys.readouterr().err}'
    assert not (tmp_path / 'a.json').exists()
