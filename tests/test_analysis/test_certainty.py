"""Leads of choices against the alphas that they come from."""
import math

import pytest
import torch

from imtnas_mm.analysis.certainty import certainty_of
from imtnas_mm.genotype import Genotype, published_genotype
from imtnas_mm.importance import UNSURE, lead, multiple


def weighed(importance, space='fairnas19'):
    return Genotype(space, published_genotype('fairnas_a' if space == 'fairnas19' else 'darts_v2').architecture,
                    importance)


def test_a_lead_is_the_difference_of_two_alphas():
    alphas = torch.tensor([[.3, .1, -2.], [0., 1., 1.005]], dtype=torch.float64)
    certainty = certainty_of(weighed(dict(cell=alphas.softmax(-1).tolist())))
    assert certainty.choices == (0, 2)
    assert certainty.leads == pytest.approx((.2, .005), abs=1e-12)
    assert certainty.unsure == 1


def test_groups_of_any_depth_and_dropped_options():
    certainty = certainty_of(weighed(dict(layer=[.5, .25, .25], cell=[[[.6, .4, 0.], [1., 0., 0.]]])))
    assert certainty.choices == (0, 0)  # the row with a single option left has nothing to choose
    assert certainty.leads == pytest.approx((math.log(2), math.log(1.5)))


def test_none_of_darts_is_no_rival():
    """DARTS never takes none, however much it weighs."""
    rows = [[.6, .2, .1, .02, .02, .02, .02, .02]] * 14
    certainty = certainty_of(weighed(dict(normal=rows, reduce=rows), 'darts'))
    assert certainty.choices == (1, ) * 28 and certainty.leads == pytest.approx((math.log(2), ) * 28)


def test_a_choice_leads_the_next_option_that_was_to_be_had():
    row = [.5, .2, .1, .2]
    assert lead(row, 0) == pytest.approx(math.log(2.5))
    assert lead(row, 1) == 0 and lead(row, 1, without=(3, )) == pytest.approx(math.log(2))
    assert lead([1., 0., 0.], 0) == lead([0., 1.], 0) == math.inf
    assert multiple(1 / 6, 6) == multiple(1 / 7, 7) == '×1.00' and multiple(.17, 6) == '×1.02'


@pytest.mark.parametrize('sure, total, warned', [(1, 4, True), (2, 4, True), (3, 4, False), (0, 0, False)])
def test_when_it_warns(sure, total, warned):
    lead = torch.tensor([1. if i < sure else UNSURE / 2 for i in range(total)])
    rows = torch.stack([lead, torch.zeros(total)], 1).softmax(-1).tolist()
    certainty = certainty_of(weighed(dict(cell=rows) if rows else None))
    warning = certainty.warning()
    assert bool(warned) == (warning is not None)
    if warning:
        assert warning.startswith(f'{total - sure} of {total} choices lead the second best by less than 1%: ')
        assert 'optim_wrapper.architecture.optimizer.lr' in warning
    assert (str(certainty) == 'there is nothing to choose') == (total == 0)


@pytest.mark.parametrize('derive_none', [True, False])
def test_none_of_nasbench201_is_a_rival_where_it_may_be_derived(derive_none):
    from imtnas_mm.spaces import NASBench201Supernet
    alphas = torch.tensor([[2., .2, 1., .5, 0.]] * 3 + [[1.9, 0., .3, 2., 0.]] * 3, dtype=torch.float64)
    genotype = NASBench201Supernet(derive_none=derive_none).derive(dict(cell=alphas))
    certainty = certainty_of(genotype.described(dict(epoch=3)))
    assert certainty.choices == ((0, ) if derive_none else (2, )) * 3 + (3, ) * 3
    assert certainty.leads == pytest.approx((1., ) * 3 + (.1, ) * 3 if derive_none else (.5, ) * 3 + (1.7, ) * 3)
