"""Leads of choices against the alphas that they come from."""
import math

import pytest
import torch

from imtnas_mm.analysis.certainty import UNSURE, certainty_of


def test_a_lead_is_the_difference_of_two_alphas():
    alphas = torch.tensor([[.3, .1, -2.], [0., 1., 1.005]], dtype=torch.float64)
    certainty = certainty_of(dict(cell=alphas.softmax(-1).tolist()))
    assert certainty.choices == (0, 2)
    assert certainty.leads == pytest.approx((.2, .005), abs=1e-12)
    assert certainty.unsure == 1


def test_groups_of_any_depth_and_dropped_options():
    certainty = certainty_of(dict(layer=[.5, .25, .25], cell=[[[.6, .4, 0.], [1., 0., 0.]]]))
    assert certainty.choices == (0, 0)  # the row with a single option left has nothing to choose
    assert certainty.leads == pytest.approx((math.log(2), math.log(1.5)))


@pytest.mark.parametrize('sure, total, warned', [(1, 4, True), (2, 4, True), (3, 4, False), (0, 0, False)])
def test_when_it_warns(sure, total, warned):
    lead = torch.tensor([1. if i < sure else UNSURE / 2 for i in range(total)])
    rows = torch.stack([lead, torch.zeros(total)], 1).softmax(-1).tolist()
    certainty = certainty_of(dict(cell=rows) if rows else {})
    warning = certainty.warning()
    assert bool(warned) == (warning is not None)
    if warning:
        assert warning.startswith(f'{total - sure} of {total} choices lead the second best by less than 1%: ')
        assert 'optim_wrapper.architecture.optimizer.lr' in warning
    assert (str(certainty) == 'there is nothing to choose') == (total == 0)
