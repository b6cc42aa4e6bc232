"""How far a search is, from the tensor in its checkpoint."""
import pytest
import torch

from imtnas_mm.progress import Progress, architecture_share


@pytest.mark.parametrize('warmup', [0, 2])
def test_the_share_of_a_s_steps_that_are_done(warmup):
    """Against the number of steps of A, in a search of 5 epochs of 10 iterations."""
    steps = 10 * (5 - warmup)
    for iteration in range(50):
        values = torch.tensor(Progress(iteration // 10, 5, warmup, iteration / 49))
        done = max(iteration - 10 * warmup, 0)
        assert float(architecture_share(values)) == pytest.approx(done / (steps - 1), abs=1 / (steps - 1))
    assert float(architecture_share(values)) == pytest.approx(1)


def test_before_a_search_and_without_steps_of_a_it_is_zero():
    assert float(architecture_share(torch.zeros(4))) == 0
    assert float(architecture_share(torch.tensor(Progress(2, 3, 3, .9)))) == 0
    assert Progress.of(torch.zeros(4)) is None
