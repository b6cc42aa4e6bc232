"""The cosines of all configs follow train_cfg.max_epochs, so that one field makes a training longer or shorter."""
from pathlib import Path

import pytest
from mmengine.config import Config

ROOT = Path(__file__).parents[1] / 'configs'
CONFIGS = [path for path in sorted(ROOT.rglob('*.py')) if not {'experiments', '_base_'} & set(path.parts)]


def schedulers(cfg):
    lists = cfg.get('param_scheduler') or []
    if 'type' in lists:  # a single one
        return [lists]
    return [one for part in (lists.values() if isinstance(lists, dict) else [lists]) for one in part]


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_no_cosine_has_a_length_of_its_own(path):
    for scheduler in schedulers(Config.fromfile(path)):
        assert 'T_max' not in scheduler and (scheduler.type != 'CosineAnnealingLR' or 'end' not in scheduler)
