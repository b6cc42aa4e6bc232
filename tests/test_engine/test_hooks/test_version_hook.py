"""Checkpoints say which version wrote them."""
import imtnas_mm
from helpers import tiny_run as tiny
from helpers.tiny_run import no_pictures  # noqa: F401


def test_a_checkpoint_of_a_retraining_and_its_export(data, tmp_path):
    config = tiny.write_config(tmp_path / 'retrain.py', None, **tiny.retrain_fields(data, 'cls'))
    tiny.run('train', config, '--work-dir', tmp_path / 'work')
    tiny.tool('export').main([str(tmp_path / 'work' / 'epoch_1.pth'), str(tmp_path / 'exported.pth')])
    for path in (tmp_path / 'work' / 'epoch_1.pth', tmp_path / 'exported.pth'):
        meta = tiny.checkpoint(path)['meta']
        assert meta['imtnas_mm_version'] == imtnas_mm.__version__ and 'mmengine_version' in meta


def test_a_checkpoint_of_a_search(data, tmp_path):
    config = tiny.write_config(tmp_path / 'search.py', 'imtnas_demo.py', **tiny.search_fields(data))
    runner = tiny.runner_of(config, tmp_path / 'work')
    runner.save_checkpoint(str(tmp_path), 'a.pth', save_optimizer=False, save_param_scheduler=False)
    assert tiny.checkpoint(tmp_path / 'a.pth')['meta']['imtnas_mm_version'] == imtnas_mm.__version__
