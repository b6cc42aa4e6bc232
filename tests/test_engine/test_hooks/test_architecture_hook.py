"""Which backends get the picture of the architecture, and under which name."""
from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.visualization import LocalVisBackend, MLflowVisBackend

from imtnas_mm.engine.hooks import ArchitectureHook
from imtnas_mm.genotype import published_genotype


@pytest.mark.parametrize('kind, name', [(LocalVisBackend, 'architecture'), (MLflowVisBackend, 'architecture_7.png')])
def test_the_name_of_the_picture(tmp_path, monkeypatch, kind, name):
    """MLflow's log_image refuses a name without an ending: "unknown file extension"."""
    seen = []
    monkeypatch.setattr(kind, 'add_image', lambda self, name, image, step: seen.append((name, image.ndim, step)))
    genotype = published_genotype('darts_v2')
    runner = SimpleNamespace(
        work_dir=str(tmp_path), experiment_name='a', seed=0, logger=MMLogger.get_current_instance(),
        cfg=Config(dict(model=dict(search_space=dict(type='DARTSSupernet')))),
        model=SimpleNamespace(derive=lambda: genotype), visualizer=SimpleNamespace(_vis_backends=dict(one=kind('.'))))
    ArchitectureHook().save(runner, dict(epoch=1, iter=7))
    assert seen == [(name, 3, 7)] and (tmp_path / 'architecture.png').is_file()
    ArchitectureHook.save(hook := ArchitectureHook(), runner, dict(epoch=1, iter=8))
    hook.save(runner, dict(epoch=1, iter=8))  # the end of a search comes after its last checkpoint
    assert [step for *_, step in seen] == [7, 8]
