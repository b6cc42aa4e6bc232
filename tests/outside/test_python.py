"""The package's functions for Python, and the example of a space of one's own."""
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config

import imtnas_mm
from helpers import tiny_run as tiny
from helpers.scopes import own_scope
from helpers.tiny_run import no_pictures  # noqa: F401
from imtnas_mm.genotype import GenotypeError


def test_importing_the_package_imports_no_library():
    """One process: the imports of this one are done."""
    code = ('import sys, imtnas_mm; print(imtnas_mm.__version__, *sorted({"torch", "mmengine", "mmdet"} & '
            'set(sys.modules)), dir(imtnas_mm).count("search"))')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True, cwd=tiny.ROOT)
    assert done.stdout.split() == [imtnas_mm.__version__, '0']
    with pytest.raises(AttributeError, match="'imtnas_mm' has no attribute 'serach'"):
        _ = imtnas_mm.serach


def test_a_search_from_python(data, tmp_path):
    config = tiny.write_config(tmp_path / 'tiny.py', 'imtnas_demo.py', **tiny.search_fields(data, rounds=1))
    cfg = Config.fromfile(config)
    before = cfg.to_dict()
    with own_scope():
        found = imtnas_mm.search(cfg, tmp_path / 'work', train_cfg=dict(max_epochs=2), **{
            'model.search_space.estimator': 'two_path', 'experiment_name': 'python'})
    assert cfg.to_dict() == before and (tmp_path / 'work' / 'epoch_2.pth').is_file()
    backbone = found.network(out_indices=(2, 5))
    features = backbone(torch.zeros(1, 3, 32, 32))
    assert [tuple(feature.shape) for feature in features] == [(1, 8, 8, 8), (1, 32, 8, 8)]
    derived = imtnas_mm.derive(config, tmp_path / 'work' / 'epoch_2.pth')
    assert derived.genotype.architecture == found.genotype.architecture and derived.options == found.options
    loaded = imtnas_mm.load_architecture(tmp_path / 'work' / 'architecture.json', config, out_indices=(2, 5))
    assert {name: value.shape for name, value in loaded.state_dict().items()} == {
        name: value.shape for name, value in backbone.state_dict().items()}
    with own_scope():  # finished: nothing is left to do
        again = imtnas_mm.search(config, tmp_path / 'work', resume=True, train_cfg=dict(max_epochs=2),
                                 experiment_name='python again')
    assert again.genotype.architecture == found.genotype.architecture


def test_an_architecture_by_name():
    backbone = imtnas_mm.load_architecture('fairnas_a', out_indices=(1, 3, 5), width_mult=.1)
    features = backbone.eval()(torch.zeros(1, 3, 64, 64))
    assert [feature.shape[-1] for feature in features] == [8, 4, 2]
    genotype = backbone.genotype
    for same in (genotype, genotype.to_dict()):
        assert imtnas_mm.load_architecture(same, width_mult=.1).genotype == genotype
    with pytest.raises(GenotypeError, match="architecture: 'none.json'; it must be the path"):
        imtnas_mm.load_architecture('none.json')


def test_what_is_refused(data, tmp_path):
    retraining = tiny.write_config(tmp_path / 'cls.py', None, **tiny.retrain_fields(data, 'cls'))
    with pytest.raises(ValueError, match='cls.py: runner_type=None; it must be the config of a search'):
        imtnas_mm.search(retraining)
    config = tiny.write_config(tmp_path / 'tiny.py', 'imtnas_demo.py', **tiny.search_fields(data))
    with pytest.raises(ValueError, match='modle: .*tiny.py has no modle, and nothing would read it; is it model'):
        imtnas_mm.search(config, modle=dict(type='IMTNAS'))
    with pytest.raises(ValueError, match='tiny.py/work cannot be written to'):
        imtnas_mm.search(config, config / 'work')


def test_the_example(data, tmp_path, monkeypatch, capsys):
    """A space of one's own is searched on small data, and its network loaded."""
    monkeypatch.syspath_prepend(str(tiny.ROOT / 'examples'))
    fields = tiny.search_fields(data)
    options = {name: fields[name] for name in fields if name not in ('model', 'optim_wrapper')}
    options['model'] = dict(
        transfer=fields['model']['transfer'],
        tasks=dict(cls=dict(model=dict(data_preprocessor=dict(num_classes=3), head=dict(num_classes=3, topk=(1, 2)))),
                   det=dict(model=dict(bbox_head=dict(num_classes=3)))))
    with own_scope():
        backbone = tiny.tool('search_kernels', 'examples').main(tmp_path / 'work', **options)
    kernels = imtnas_mm.load_architecture(tmp_path / 'work' / 'architecture.json').genotype.architecture['layers']
    assert [layer.conv.kernel_size[0] for layer in backbone.layers] == kernels
    assert 'features: [(1, 16, 32, 32), (1, 64, 16, 16)]' in capsys.readouterr().out
