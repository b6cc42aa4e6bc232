import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imtnas_mm.datasets import split_indices


@pytest.mark.parametrize(('num', 'ratio', 'num_train'),
                         [(10, .5, 5), (11, .5, 6), (1000, .3, 300), (2, .01, 1), (5, .99, 4)])
def test_parts_are_disjoint_and_cover(num, ratio, num_train):
    train, val = split_indices(num, ratio, seed=3)
    assert len(train) == num_train
    assert sorted([*train, *val]) == list(range(num))


@given(num=st.integers(2, 3000), ratio=st.floats(0, 1, exclude_min=True, exclude_max=True), seed=st.integers(0, 2**63))
def test_any_split(num, ratio, seed):
    train, val = split_indices(num, ratio, seed)
    assert len(train) and len(val) and abs(len(train) - num * ratio) <= 1
    assert np.array_equal(np.sort(np.concatenate([train, val])), np.arange(num))
    assert (np.diff(train) > 0).all() and (np.diff(val) > 0).all() and train.dtype == val.dtype == np.int64
    again = split_indices(num, ratio, seed)
    assert np.array_equal(again[0], train) and np.array_equal(again[1], val)


@given(num=st.integers(2, 300), ratios=st.tuples(*[st.floats(.01, .99)] * 2), seed=st.integers(0, 2**63))
def test_a_larger_share_takes_more_of_the_same(num, ratios, seed):
    fewer, more = (set(split_indices(num, ratio, seed)[0].tolist()) for ratio in sorted(ratios))
    assert fewer <= more


def test_the_seed_alone_decides():
    first, second = split_indices(100, seed=4), split_indices(100, seed=4)
    assert np.array_equal(first[0], second[0]) and np.array_equal(first[1], second[1])
    assert not np.array_equal(first[0], split_indices(100, seed=5)[0])


def test_the_split_of_seed_0_never_changes():
    # a resumed search must see the halves it began with, also after an upgrade
    assert split_indices(10)[0].tolist() == [0, 1, 4, 7, 8]


def test_halves_are_random_not_stretches():
    train, _ = split_indices(10000)
    # 5000 of 10000 drawn at random: the mean index is 4999.5 with a standard deviation of 28.9
    assert abs(train.mean() - 4999.5) < 5 * 28.9
    assert 2300 < np.count_nonzero(train < 5000) < 2700


@pytest.mark.parametrize('ratio', [0, 1, -.1, 1.5, float('nan')])
def test_bad_ratio(ratio):
    with pytest.raises(ValueError, match='ratio='):
        split_indices(10, ratio)


@pytest.mark.parametrize('num', [1, 0])
def test_too_few(num):
    with pytest.raises(ValueError, match='at least 2'):
        split_indices(num)


def test_negative_seed():
    with pytest.raises(ValueError, match='seed=-1'):
        split_indices(10, seed=-1)
