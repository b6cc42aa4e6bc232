"""The two ways to differentiate an inner gradient."""
import pytest
import torch

from imtnas_mm.chain import difference_pullback, exact_pullback


def test_pullbacks_of_a_cubic():
    """f = x^2 y + x^3: d/dx, d/dy of v f_x at (2, 3) is v (2 y + 6 x), v 2 x."""
    x, y, v = (torch.tensor(value, dtype=torch.float64) for value in (2., 3., .5))

    def f(inner, outer):
        return inner[0]**2 * outer[0] + inner[0]**3

    for pullback, tolerance in ((exact_pullback, 1e-15), (difference_pullback, 1e-6)):
        actual = [t.item() for t in pullback(f, [x], [y], [v])]
        assert actual == pytest.approx([.5 * (6 + 12), .5 * 4], rel=tolerance)
    assert [t.item() for t in exact_pullback(lambda i, o: 3 * i[0] + o[0], [x], [y], [v])] == [0, 0]
