"""The precision of float32 products: set where a search says, and as it was everywhere else."""
import pytest
import torch

from helpers import small_search as small
from imtnas_mm.precision import OPERATORS, float32_products


def settings():
    return [operator.fp32_precision for operator in OPERATORS]


@pytest.fixture(autouse=True)
def as_pytorch_starts():
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = True, False


@pytest.mark.parametrize('tf32', [True, False])
def test_set_inside_and_restored(tf32):
    before = settings()
    with float32_products(tf32):
        assert [setting == 'tf32' for setting in settings()] == [tf32] * len(OPERATORS)
        assert torch.backends.cudnn.allow_tf32 is tf32 and torch.backends.cuda.matmul.allow_tf32 is tf32
    assert settings() == before and torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
    with pytest.raises(ZeroDivisionError), float32_products(tf32):
        raise ZeroDivisionError
    assert settings() == before


def test_settings_by_operator_are_restored():
    """A user's, which the older switches contradict."""
    torch.backends.cudnn.conv.fp32_precision = 'ieee'
    try:
        before = settings()
        with float32_products(True):
            assert set(settings()) == {'tf32'}
        assert settings() == before
    finally:
        torch.backends.cudnn.conv.fp32_precision = 'tf32'


@pytest.mark.parametrize('tf32', [False, True])
def test_weight_stages_have_it_by_option_and_the_architecture_never(tf32, monkeypatch):
    model, seen, before = small.build(tf32=tf32, rounds=1), {}, settings()
    for name, task in model.tasks.items():
        def loss(*args, plain=task.loss, name=name):
            seen.setdefault(torch.is_grad_enabled() and name, []).append(settings()[0])
            return plain(*args)
        monkeypatch.setattr(task, 'loss', loss)
    small.iterate(model, small.optimisers(model))
    assert [seen[name][0] == 'tf32' for name in ('cls', 'det')] == [tf32, tf32]  # the stages
    assert 'tf32' not in seen['cls'][1:] + seen['det'][1:]  # validation, and the chain
    assert len(seen['cls']) > 2 and settings() == before


@pytest.mark.parametrize('there', [False, True])
def test_the_log_names_the_default_where_there_is_a_gpu(there, monkeypatch):
    lines = []
    monkeypatch.setattr('imtnas_mm.algorithms.weight_stages.print_log', lambda text, **_: lines.append(text))
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: there)
    small.build()
    assert [line.partition('.')[0] for line in lines] == ['All products of the search are in float32'] * there


def test_the_log_says_so(monkeypatch):
    lines = []
    monkeypatch.setattr('imtnas_mm.algorithms.weight_stages.print_log', lambda text, **_: lines.append(text))
    small.build(tf32=True)
    assert lines == ["model.tf32=True: the weight stages round the factors of float32 products to TF32 on a GPU; A's "
                     'step and the chain of its gradient stay in full precision']
