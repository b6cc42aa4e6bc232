import ast

import pytest
from mmengine.config import Config

from imtnas_mm.files.config_text import expression_at, plain_value

SETTINGS = dict(model=dict(backbone=dict(architecture=dict(layers=['a', 'b'], shares={'of b': (1, 2.5)}), depth=3)))


def test_a_config_that_mmengine_wrote():
    text = Config(SETTINGS).pretty_text
    assert plain_value(expression_at(text, 'model')) == SETTINGS['model']
    assert plain_value(expression_at(text, 'model', 'backbone', 'depth')) == 3
    assert expression_at(text, 'model', 'neck', 'depth') is expression_at(text, 'optim_wrapper') is None


@pytest.mark.parametrize('text', ['', 'model = (', 'model = "\0"', '# nothing', 'model = 3', None, 3])
def test_text_without_the_setting(text):
    assert expression_at(text, 'model', 'backbone') is None


@pytest.mark.parametrize('text', [
    'f(a=1)', 'dict(**other)', '{**other}', 'dict([(1, 2)])', 'dict({}, {})', 'dict(a=open("x", "w"))', '[x for x in y]'
])
def test_nothing_is_run(text):
    with pytest.raises(ValueError):
        plain_value(ast.parse(text, mode='eval').body)
