"""A training that Ctrl-C ends names what it leaves."""
import os

import pytest

from helpers import tiny_run as tiny
from imtnas_mm.engine.launch import train

DEMO = tiny.ROOT / 'configs' / 'imtnas_demo.py'


def interrupt(cfg):
    """As Ctrl-C does; a process that a script starts in the background ignores the signal itself."""
    raise KeyboardInterrupt


@pytest.mark.parametrize('folder', ['', 'phase2'])
def test_the_last_checkpoint(folder, tmp_path, monkeypatch, capsys):
    def run(cfg):
        for name, text in (('phase1', 'earlier.pth'), (folder, 'iter_7.pth')):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / 'last_checkpoint').write_text(text)
        later = (tmp_path / folder / 'last_checkpoint').stat().st_mtime + 1
        os.utime(tmp_path / folder / 'last_checkpoint', (later, later))
        interrupt(cfg)

    monkeypatch.setattr(train, 'run', run)
    with pytest.raises(SystemExit) as stopped:
        tiny.run('train', DEMO, '--work-dir', tmp_path)
    assert stopped.value.code == 130
    assert f'The last checkpoint is iter_7.pth; --resume with --work-dir {tmp_path} goes on from there' in \
        capsys.readouterr().err


@pytest.mark.parametrize('earlier', [False, True])
def test_no_checkpoint(earlier, tmp_path, monkeypatch, capsys):
    if earlier:
        (tmp_path / 'last_checkpoint').write_text('iter_3.pth')
        os.utime(tmp_path / 'last_checkpoint', (1, 1))
    monkeypatch.setattr(train, 'run', interrupt)
    with pytest.raises(SystemExit):
        tiny.run('train', DEMO, '--work-dir', tmp_path)
    text = capsys.readouterr().err
    assert 'Interrupted before this training wrote a checkpoint.' in text and 'iter_3' not in text
    assert (f'Those of an earlier one are in {tmp_path}.' in text) is earlier
