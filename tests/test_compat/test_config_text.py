"""The text of a config is formatted once, to the same text."""
import pytest
from mmengine.config import Config
from yapf.yapflib import yapf_api

from imtnas_mm.compat.config_text import remembering

CONTENT = dict(model=dict(type='IMTNAS', tasks=dict(a=dict(lr=1e-3), b=dict(lr=2.))), train_cfg=dict(max_epochs=3))


@pytest.fixture
def calls(monkeypatch):
    """The arguments of each call of yapf, through the function that remembers."""
    made, format_code = [], getattr(yapf_api.FormatCode, '__wrapped__', yapf_api.FormatCode)

    def counted(*args, **options):
        made.append((args, options))
        return format_code(*args, **options)

    monkeypatch.setattr(yapf_api, 'FormatCode', format_code)
    text = Config(CONTENT).pretty_text
    monkeypatch.setattr(yapf_api, 'FormatCode', remembering(counted))
    return made, text


def test_equal_configs_are_formatted_once(calls):
    made, text = calls
    assert [Config(CONTENT).pretty_text for _ in range(3)] == [text] * 3
    assert len(made) == 1


def test_a_changed_config_is_formatted_anew(calls):
    made, text = calls
    cfg = Config(CONTENT)
    assert cfg.pretty_text == text
    cfg.train_cfg.max_epochs = 4
    assert 'max_epochs=4' in cfg.pretty_text and len(made) == 2


def test_other_arguments_pass_through(calls):
    made, _ = calls
    first, second = (yapf_api.FormatCode('a=1', style_config='pep8') for _ in range(2))
    assert first == second
    assert made == [(('a=1', ), dict(style_config='pep8'))] * 2
