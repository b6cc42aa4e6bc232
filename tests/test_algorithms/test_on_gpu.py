"""Whole iterations of a search on CUDA, pretended where there is no GPU: the numbers of a CPU, and few reads."""
import pytest
import torch

from helpers.small_search import CELLS, SPACE, build, iterate, optimisers

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
def test_an_iteration_is_that_of_a_cpu(space, gpu):
    plain, expected = searched(space, 'cpu')
    with gpu() as pretended:
        model, figures = searched(space, 'cuda')
        if pretended:
            assert pretended.reads.total() <= 4, pretended.reads  # A for draws, sampled gates, finiteness twice
        kept = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        assert [name for name, tensor in kept.items() if not tensor.is_cuda] == []
        state = {name: value.cpu() for name, value in model.state_dict().items()}
        figures = {name: float(value) for name, value in figures.items()}
    before = build(SPACES[space][1], space=SPACES[space][0], rounds=1).state_dict()
    moved = 0
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(state[name], value, rtol=1e-6, atol=1e-8, msg=name)
        moved += not torch.equal(value, before[name])
    assert moved and figures == pytest.approx({name: float(value) for name, value in expected.items()})
