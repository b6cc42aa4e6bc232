"""Whole iterations of a search on the pretended CUDA device: no mixture of devices, no undefined output."""
import pytest
import torch
from pretend_cuda import on_cuda, pretended_cuda
from small_search import CELLS, SPACE, build, iterate, optimisers

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason='a GPU is there, and the tests with a device use it')

SPACES = {  # options that make a space small, and the tasks whose heads fit it
    'MBConv': (SPACE, ('cls', 'det')),
    'two_path': (dict(SPACE, estimator='two_path'), ('cls', 'det')),
    'gumbel': (dict(SPACE, estimator='gumbel'), ('cls', 'det')),
    'DARTS': (CELLS, ('cell', 'cell2')),
    'PDARTS': (dict(CELLS, type='PDARTSSupernet', skip_dropout=.3), ('cell', 'cell2')),
    'PCDARTS': (dict(CELLS, type='PCDARTSSupernet', part=2), ('cell', 'cell2')),
    'PRDARTS': (dict(CELLS, type='PRDARTSSupernet'), ('cell', 'cell2')),
}


def searched(space, device):
    """A search after one iteration, and its figures."""
    options, order = SPACES[space]
    torch.manual_seed(0)
    model = build(order, space=options, rounds=1).to(device)
    wrapper = optimisers(model)
    torch.manual_seed(1)
    return model, iterate(model, wrapper)


@pytest.mark.parametrize('space', SPACES)
def test_an_iteration_is_that_of_a_cpu(space):
    plain, expected = searched(space, 'cpu')
    with pretended_cuda() as cuda:
        model, figures = searched(space, 'cuda')
        assert cuda.reads.total() <= 4, cuda.reads  # A for draws, sampled gates, finiteness twice
        kept = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        assert [name for name, tensor in kept.items() if not on_cuda(tensor)] == []
        state = {name: value.cpu() for name, value in model.state_dict().items()}
        figures = {name: float(value) for name, value in figures.items()}
    before = build(SPACES[space][1], space=SPACES[space][0], rounds=1).state_dict()
    moved = 0
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(state[name], value, rtol=1e-6, atol=1e-8, msg=name)
        moved += not torch.equal(value, before[name])
    assert moved and figures == pytest.approx({name: float(value) for name, value in expected.items()})
