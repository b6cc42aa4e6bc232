"""What the train loop asks of a search method is declared in one class, and every method has it."""
import ast
import inspect
import textwrap

import pytest

from helpers.small_search import CELLS, SPACE, TRANSFER, build_method
from imtnas_mm.algorithms.method import SearchMethod
from imtnas_mm.engine.loops.search_loop import InterleavedSearchLoop
from imtnas_mm.registry import MODELS

# of mmengine's model, not of a search method
MODEL = {'train', 'eval', 'state_dict', 'load_state_dict', 'parameters', 'named_parameters', 'modules', 'to'}
METHODS = sorted(name for name, kind in MODELS.module_dict.items() if inspect.isclass(kind)
                 and issubclass(kind, SearchMethod) and kind.__module__.startswith('imtnas_mm.'))


def declared():
    return {name for name in vars(SearchMethod) if not name.startswith('_')} | set(SearchMethod.__annotations__)


def asked(source):
    """The attributes of ``model`` and ``runner.model`` that a piece of code reads or sets."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            owner = node.value
            if getattr(owner, 'id', None) == 'model' or getattr(owner, 'attr', None) == 'model':
                names.add(node.attr)
    return names


def test_the_loop_asks_for_nothing_else():
    names = asked(textwrap.dedent(inspect.getsource(InterleavedSearchLoop)))
    assert {'train_stage', 'update_architecture', 'step_weights', 'figures'} <= names
    assert names - MODEL <= declared(), names - MODEL - declared()


@pytest.mark.parametrize('method', METHODS)
def test_every_method_has_it(method):
    order = ('cls', ) if method == 'SingleTask' else ('cls', 'cls2')
    options = dict(encoder_weights=dict(type='HyperNetwork'), transfer=TRANSFER) if method == 'IMTNAS' else {}
    model = build_method(method, order, space=SPACE, **options)
    assert [name for name in declared() if not hasattr(model, name)] == []
    assert model.num_examples == (TRANSFER['num_examples'] if method == 'IMTNAS' else 0)
    assert all(figure.numel() == 1 for figure in model.figures().values()) and model.figures()


def test_a_single_stage_takes_no_examples():
    options = dict(encoder_weights=dict(type='HyperNetwork'), transfer=TRANSFER)
    assert build_method('IMTNAS', ('cell', ), 1, space=CELLS, **options).num_examples == 0


def test_a_method_that_leaves_something_out_cannot_be_made():
    with pytest.raises(TypeError, match='train_stage'):
        type('Half', (SearchMethod, ), {})()
