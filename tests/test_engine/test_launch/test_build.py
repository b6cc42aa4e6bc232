"""Runners that are built from a config."""
import pytest

from helpers import tiny_run as tiny
from helpers.tiny_run import loaded as load
from imtnas_mm.engine.launch import build_runner


@pytest.fixture
def retrain(data, tmp_path):
    return str(tiny.write_config(tmp_path / 'retrain.py', None, **tiny.retrain_fields(data)))


@pytest.mark.parametrize('rank, files', [(0, 1), (1, 0)])
def test_one_process_writes_the_metrics_of_a_test(retrain, tmp_path, monkeypatch, rank, files):
    monkeypatch.setattr('imtnas_mm.engine.launch.build.get_rank', lambda: rank)
    name = f'experiment_name=metrics{rank}'  # by which mmengine finds its log again
    runner = build_runner(load(retrain, '--work-dir', tmp_path / 'work', '--cfg-options', name))
    runner.call_hook('before_run')
    runner.call_hook('after_test_epoch', metrics={'coco/bbox_mAP': .5})
    assert len(list((tmp_path / 'work').glob('*/*.json'))) == files


def test_resume_without_a_checkpoint_starts(retrain, tmp_path):
    runner = build_runner(load(retrain, '--resume', '--work-dir', tmp_path / 'empty'))
    runner.load_or_resume()
    log, = (tmp_path / 'empty').glob('*/*.log')
    assert f"--resume: no checkpoint in {tmp_path / 'empty'}; the run starts anew" in log.read_text()
    assert 'Auto resumed' not in log.read_text() and runner.iter == 0
