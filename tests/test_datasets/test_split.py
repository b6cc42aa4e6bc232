import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imtnas_mm.datasets import Split, splits_of


def split_indices(num, ratio=.5, seed=0):
    return Split(ratio, seed=seed).indices(num)


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


@given(num=st.integers(2, 300), train=st.integers(1, 200), val=st.integers(1, 200), seed=st.integers(0, 2**63))
def test_parts_of_given_sizes(num, train, val, seed):
    split = Split(None, train, val, seed)
    if train + val > num:
        with pytest.raises(ValueError, match=f'train={train}, val={val}: these are {train} . {val} examples, and there '
                           f'are {num}'):
            split.indices(num)
        return
    first, second = (set(part.tolist()) for part in split.indices(num))
    assert (len(first), len(second)) == (train, val) and not first & second and first | second <= set(range(num))
    assert first == set(Split(train / num, seed=seed).indices(num)[0].tolist()) or train == num


def test_parts_of_imagenet():
    """Appendix B: 10 % and 2.5 %."""
    assert Split(None, .1, .025).sizes(1_281_167) == (128_117, 32_029)
    assert Split(None, .001, 3).sizes(10) == (1, 3)


@pytest.mark.parametrize('options, message', [
    (dict(train=.1), r'train=0.1, val=None: both sizes are needed'),
    (dict(train=.1, val=.1), r'ratio=0.5: it is in the place of train and val'),
    (dict(ratio=None, train=1., val=1), r'train=1.0: must be a share between 0 and 1, or a number of examples'),
    (dict(ratio=None, train=1, val=0), r'val=0: must be a share'),
    (dict(ratio=None, train=True, val=1), r'train=True: must be a share'),
    (dict(ratio=None), r'ratio=None: the train share must lie strictly between 0 and 1'),
    (dict(seed=.5), r'seed=0.5: must not be negative'),
])
def test_bad_split(options, message):
    with pytest.raises(ValueError, match=message):
        Split(**options)


def test_splits_of_tasks():
    names = ('a', 'b', 'c')
    assert splits_of(None, names, 'split') == dict.fromkeys(names, Split())
    splits = splits_of(dict(ratio=.3, seed=2, tasks=dict(b=dict(train=.1, val=5), c=dict(seed=1))), names, 'split')
    assert splits == dict(a=Split(.3, seed=2), b=Split(None, .1, 5, 2), c=Split(.3, seed=1))
    splits = splits_of(dict(ratio=None, train=2, val=3, tasks=dict(a=dict(ratio=.5))), names, 'split')
    assert splits == dict(a=Split(.5), b=Split(None, 2, 3), c=Split(None, 2, 3))
    for options, message in ((dict(tasks=dict(d={})), 'split.tasks.d: the search has no such task; it has a, b, c'),
                             (dict(size=1), r"split has \['size'\]; it takes ratio and seed, or train, val and seed; "
                              'and tasks'),
                             (dict(tasks=dict(a=dict(ratios=1))), r"split.tasks.a has \['ratios'\]; it takes"),
                             (dict(tasks=dict(a=dict(ratio=2))), 'split.tasks.a.ratio=2: the train share')):
        with pytest.raises(ValueError, match=f'^{message}'):
            splits_of(options, names, 'split')
