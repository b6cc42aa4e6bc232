"""Every flag of the tools that takes a checkpoint refuses one that would run code."""
import re
from pickle import UnpicklingError

import pytest
import torch

from helpers import tiny_run as tiny
from helpers.malicious import write_malicious
from helpers.tiny_run import no_pictures  # noqa: F401

REFUSED = re.escape('code.pth: refused: it holds more than tensors and plain values, and could run code')


@pytest.mark.parametrize('kind', ['retraining', 'search'])
@pytest.mark.parametrize('flag', ['test', '--resume', 'resume without a path', 'load_from'])
def test_refused(data, tmp_path, kind, flag):
    if kind == 'search':
        config = tiny.write_config(tmp_path / 'a.py', 'imtnas_demo.py', **tiny.search_fields(data))
    else:
        config = tiny.write_config(tmp_path / 'a.py', None, **tiny.retrain_fields(data, 'cls'))
    work = tmp_path / 'work'
    work.mkdir()
    path, ran = write_malicious(work)
    (work / 'last_checkpoint').write_text(str(path))
    args, options = {
        'test': (('test', config, path), ()),
        '--resume': (('train', config, '--resume', path), ()),
        'resume without a path': (('train', config, '--resume'), ()),
        'load_from': (('train', config), (f'load_from={path}', )),
    }[flag]
    with pytest.raises((ValueError, RuntimeError, SystemExit, UnpicklingError), match=REFUSED):
        tiny.run(*args, '--work-dir', work, options=options)
    assert not ran.exists()


@pytest.mark.parametrize('kind', ['retraining', 'search'])
def test_a_config_in_a_checkpoint_is_not_run(data, tmp_path, kind):
    """mmengine runs ``meta.config`` when it resumes."""
    if kind == 'search':
        fields = tiny.search_fields(data, ('cls', ), rounds=1, epoch_length=1, val_begin=9)
        config = tiny.write_config(tmp_path / 'a.py', 'imtnas_demo.py', **fields)
    else:
        config = tiny.write_config(tmp_path / 'a.py', None, **tiny.retrain_fields(data, 'cls'))
    tiny.run('train', config, '--work-dir', tmp_path / 'work')
    saved, ran = tiny.checkpoint(tmp_path / 'work' / 'epoch_1.pth'), tmp_path / 'ran'
    saved['meta']['config'] = f'import os\nos.mkdir({str(ran)!r})'
    torch.save(saved, tmp_path / 'code.pth')
    tiny.run('train', config, '--work-dir', tmp_path / 'work', '--resume', tmp_path / 'code.pth')
    assert 'resumed epoch: 1' in tiny.log_text(tmp_path / 'work') and not ran.exists()
