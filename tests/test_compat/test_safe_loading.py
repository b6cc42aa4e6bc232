import subprocess
import sys
from pickle import UnpicklingError

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.registry import MODELS
from mmengine.runner import CheckpointLoader

import imtnas_mm.networks  # noqa: F401
from helpers.malicious import write_malicious, write_malicious_attributes
from helpers.tiny_run import scope_put_back  # noqa: F401
from imtnas_mm.analysis.derive import load_weights
from imtnas_mm.checkpoint import CheckpointError, read_checkpoint
from imtnas_mm.compat import install
from imtnas_mm.compat.safe_loading import load_safely

REFUSED = 'code.pth: refused: it holds more than tensors and plain values, and could run code: '


@pytest.fixture(autouse=True)
def safe_loaders():
    """As in a run."""
    install()


def test_the_malicious_checkpoint_works(tmp_path):
    path, ran = write_malicious(tmp_path)
    torch.load(path, weights_only=False)
    assert ran.exists()


@pytest.mark.parametrize('load', [
    load_safely, CheckpointLoader.load_checkpoint, read_checkpoint, load_weights,
    lambda path: MODELS.build(pretrained('imtnas_mm.MBConvNet', path, architecture='fairnas_c')).init_weights(),
    lambda path: MODELS.build(pretrained('imtnas_mm.TIMMPyramid', path, model_name='spnasnet_100')).init_weights(),
    lambda path: MODELS.build(pretrained('mmpretrain.MobileNetV2', path)).init_weights(),
    lambda path: MODELS.build(pretrained('mmdet.ResNet', path, depth=18)).init_weights(),
])
def test_code_is_refused_and_not_run(tmp_path, load):
    path, ran = write_malicious(tmp_path)
    with pytest.raises((UnpicklingError, CheckpointError), match=REFUSED):
        load(str(path))
    assert not ran.exists()


@pytest.mark.parametrize('address', [False, True])
def test_what_mmengine_calls_safe_runs_no_code_either(tmp_path, monkeypatch, address):
    path, ran = write_malicious_attributes(tmp_path)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'hub'))
    monkeypatch.setattr('torch.hub.download_url_to_file',
                        lambda url, target, *_, **__: open(target, 'wb').write(path.read_bytes()))
    with pytest.raises(UnpicklingError, match="attributes.pth: refused, .*it takes the attribute '__init__' of <class"):
        CheckpointLoader.load_checkpoint('https://example.org/attributes.pth' if address else str(path))
    assert not ran.exists()


def test_the_malicious_attributes_work(tmp_path):
    path, ran = write_malicious_attributes(tmp_path)
    script = ('import sys, torch; from mmengine.runner.checkpoint import get_torch_safe_globals\n'
              'with torch.serialization.safe_globals(get_torch_safe_globals()): torch.load(sys.argv[1])')
    subprocess.run([sys.executable, '-c', script, str(path)], check=True)  # which leaves its process spoilt
    assert ran.exists()


def pretrained(kind, path, **options):
    return dict(type=kind, init_cfg=dict(type='Pretrained', checkpoint=path, prefix='backbone.'), **options)


def test_every_scheme_of_mmengine_refuses_code(tmp_path, monkeypatch):
    assert all(loader.is_safe for loader in CheckpointLoader._schemes.values())
    path, ran = write_malicious(tmp_path)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'hub'))
    monkeypatch.setattr('torch.hub.download_url_to_file',
                        lambda url, target, *_, **__: open(target, 'wb').write(path.read_bytes()))
    with pytest.raises(UnpicklingError, match=REFUSED):
        CheckpointLoader.load_checkpoint('https://example.org/code.pth')
    assert not ran.exists()


def test_what_mmengine_writes_is_read(tmp_path):
    history = HistoryBuffer([1., 2.], [1, 1])
    content = dict(state_dict=dict(a=torch.ones(2)), history=history, array=np.arange(3), number=np.float64(2))
    torch.save(content, tmp_path / 'a.pth')
    loaded = load_safely(tmp_path / 'a.pth')
    assert torch.equal(loaded['state_dict']['a'], torch.ones(2))
    assert loaded['history'].mean() == 1.5 and loaded['array'].tolist() == [0, 1, 2] and loaded['number'] == 2
