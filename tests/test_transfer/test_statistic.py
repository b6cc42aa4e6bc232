import math

import pytest
import torch

from imtnas_mm.transfer.statistic import largest_statistic, squared_distances, two_sample_statistics


def loop_statistic(first, second, scale):
    """Eq. 3 by its sums."""
    def kernel(x, y):
        return math.exp(-scale * sum((a - b)**2 for a, b in zip(x.tolist(), y.tolist(), strict=True)))
    c = len(first)
    within = sum(kernel(s[n], s[m]) for s in (first, second) for n in range(c) for m in range(c) if m != n)
    across = sum(kernel(first[n], second[m]) for n in range(c) for m in range(c))
    return within / (c * (c - 1)) - 2 / c**2 * across


@pytest.mark.parametrize('sets, size, dim', [(2, 2, 1), (5, 4, 3), (3, 20, 32)])
@pytest.mark.parametrize('statistic', ['plain', 'scaled'])
def test_equals_the_double_loop(sets, size, dim, statistic, device):
    z = torch.randn(sets, size, dim, dtype=torch.float64)
    z[1] += 2
    actual = two_sample_statistics(z.to(device), .1, statistic).cpu()
    factor = size if statistic == 'scaled' else 1
    for i in range(sets):
        for j in range(sets):
            if i != j:
                assert actual[i, j].item() == pytest.approx(factor * loop_statistic(z[i], z[j], .1), abs=1e-12)


def test_two_far_point_sets_reach_the_bound():
    z = torch.zeros(2, 20, 4, dtype=torch.float64)
    z[1] = 100
    assert two_sample_statistics(z, .1, 'plain')[0, 1].item() == pytest.approx(largest_statistic(20, 'plain'))
    assert two_sample_statistics(z, .1, 'scaled')[0, 1].item() == pytest.approx(largest_statistic(20, 'scaled'))
    assert largest_statistic(20, 'plain') == 2 and largest_statistic(20, 'scaled') == 40
    assert largest_statistic(20) == math.inf


def test_same_distribution_gives_zero_on_average():
    values = [two_sample_statistics(torch.randn(2, 20, 5, dtype=torch.float64), .1, 'plain')[0, 1] for _ in range(500)]
    values = torch.stack(values)
    assert abs(values.mean().item()) < 3 * (values.std() / 500**.5).item()


def test_distances_keep_digits_far_from_the_origin(device):
    x = torch.randn(30, 8).to(device) + 1000
    exact = ((x[:, None].double() - x[None].double())**2).sum(-1)
    torch.testing.assert_close(squared_distances(x).double(), exact, rtol=1e-4, atol=1e-4)


def test_second_derivative(device):
    z = torch.randn(2, 3, 2, dtype=torch.float64).to(device).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: two_sample_statistics(x, .1, 'scaled')[0, 1], z)


def test_bad_arguments():
    with pytest.raises(ValueError, match='C >= 2'):
        two_sample_statistics(torch.rand(3, 1, 2))
    with pytest.raises(ValueError, match='biased'):
        two_sample_statistics(torch.rand(3, 4, 2), statistic='biased')
