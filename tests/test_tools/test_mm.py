"""Tools of mmdet and mmpretrain on configs of searches and retrainings, by tools/mm.py and by themselves."""
import math
import sys

import matplotlib.pyplot as plt
import pytest
from mmengine.registry import DefaultScope

from helpers import tiny_run as tiny
from helpers.scopes import own_scope

COSINE = dict(type='CosineAnnealingLR', T_max=2, by_epoch=True, convert_to_iter_based=True)


@pytest.fixture(scope='module')
def configs(data, tmp_path_factory):
    """name -> config file: a search, a joint training, and a retraining of each library."""
    folder = tmp_path_factory.mktemp('mm')
    fields = dict(
        search=('imtnas_demo.py', tiny.search_fields(data, max_epochs=2)),
        joint=('_base_/joint_runtime.py', tiny.joint_fields(data)),
        cls=(None, tiny.retrain_fields(data, 'cls', epochs=2, param_scheduler=[COSINE], work_dir=str(folder / 'work'))),
        det=(None, tiny.retrain_fields(data, 'det', epochs=2, param_scheduler=[COSINE])))
    fields['cls'][1]['default_hooks']['param_scheduler'] = dict(type='ParamSchedulerHook')
    return {name: tiny.write_config(folder / f'{name}.py', base, **values) for name, (base, values) in fields.items()}


def mm(tool, config, *args):
    with own_scope():
        DefaultScope._instance_dict.clear()
        tiny.tool('mm').main([tool, str(config), *map(str, args)])


def drawn_rates():
    line, = plt.gca().lines
    plt.close('all')
    return list(line.get_ydata())


def cosine(rate, iterations, most):
    return [rate * (1 + math.cos(math.pi * i / most)) / 2 for i in range(iterations)]


@pytest.mark.parametrize('name, args, rate, length', [
    ('cls', (), .003, 6), ('det', (), .003, 4), ('joint', (), .02, 2),
    ('search', ('--optimizer', 'encoder'), .02, 2)])
def test_vis_scheduler(configs, tmp_path, name, args, rate, length):
    """The curve has an epoch's iterations, which the tool by itself takes from -d alone."""
    epochs = 1 if name == 'joint' else 2
    mm('vis_scheduler', configs[name], *args, '--not-show', '--save-path', tmp_path / 'rate.png')
    assert (tmp_path / 'rate.png').stat().st_size > 1000
    assert drawn_rates() == pytest.approx(cosine(rate, epochs * length, 2 * length), rel=1e-6)


def test_vis_scheduler_by_itself(configs, tmp_path, monkeypatch):
    """RetrainLoop runs the dataloader that the tool builds."""
    from imtnas_mm.engine.launch.mm_tools import tool_file
    path = tool_file(tiny.tool('mm').TOOLS['vis_scheduler'], configs['cls'], None)
    monkeypatch.setattr(sys, 'argv', [path, str(configs['cls']), '-d', '24', '--not-show'])
    with own_scope():
        tiny.tool('mm').runpy.run_path(path, run_name='__main__')
    assert drawn_rates() == pytest.approx(cosine(.003, 12, 12), rel=1e-6)


@pytest.mark.parametrize('name, args, number', [
    ('search', ('--of', 'cls', '-n', '2'), 2), ('joint', ('--of', 'det'), 8), ('cls', ('-n', '2'), 2)])
def test_browse_dataset(configs, tmp_path, name, args, number):
    mm('browse_dataset', configs[name], *args, '--not-show', '--output-dir', tmp_path / 'painted')
    assert len(list((tmp_path / 'painted').glob('*.png'))) == number


def test_get_flops_and_print_config(configs, capsys):
    mm('get_flops', configs['cls'], '--shape', '32')
    assert 'Flops: ' in capsys.readouterr().out
    mm('get_flops', configs['det'], '--num-images', '1')
    assert 'Flops: ' in capsys.readouterr().out
    mm('print_config', configs['search'], '--cfg-options', 'train_cfg.max_epochs=77')
    assert 'max_epochs=77' in capsys.readouterr().out


def test_benchmark(configs, tmp_path):
    pytest.importorskip('psutil', reason="mmdet's benchmark reads the memory by psutil (requirements.txt)")
    mm('benchmark', configs['search'], '--of', 'det', '--task', 'dataset', '--dataset-type', 'train', '--max-iter', '3',
       '--num-warmup', '1', '--log-interval', '1', '--work-dir', tmp_path)
    assert 'fps' in (tmp_path / 'benchmark.log').read_text()


@pytest.mark.parametrize('name, args, message', [
    ('search', ('browse_dataset', ), '--of: None; .* has the tasks cls, det'),
    ('search', ('browse_dataset', '--of', 'x'), "--of: 'x'; .* has the tasks cls, det"),
    ('det', ('browse_dataset', '--of', 'det'), "--of: 'det'; .* has one task"),
    ('search', ('get_flops', '--of', 'det'), 'has no model of one task; tools/derive.py prints'),
    ('joint', ('get_flops', '--of', 'det'), 'has no model of one task; tools/export.py --task'),
    ('search', ('vis_scheduler', ), '--optimizer: None; a search has encoder, head, architecture'),
    ('search', ('vis_scheduler', '--optimizer', 'architecture'), 'architecture has none; the rate is constant'),
    ('cls', ('browse_dataset', '--optimizer', 'head'), "--optimizer: 'head'; it is for vis_scheduler")])
def test_what_is_refused(configs, name, args, message):
    tool, *options = args
    with pytest.raises(SystemExit, match=f'mm: {tool}: .*{message}'):
        mm(tool, configs[name], *options)
