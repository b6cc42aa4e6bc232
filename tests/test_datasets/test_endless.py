"""Endless data as functions of seed and position: any worker, any rank, and a resumed run read the same."""
import itertools
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.dataset import BaseDataset, ConcatDataset

from imtnas_mm.datasets import DataError, EndlessOrder, EndlessSampler, SeededDataset, build_endless_loader
from imtnas_mm.random_state import isolated_streams


class Augment:
    """Draws from each of the three generators."""

    def __call__(self, data):
        return dict(
            index=data['sample_idx'],
            drawn=(random.random(), np.random.rand(), torch.rand(()).item()),
            threads=torch.get_num_threads())


class Refuse:
    """Returns None for some examples, as a crop without an object does."""

    def __init__(self, refused):
        self.refused = refused

    def __call__(self, data):
        return None if data['sample_idx'] in self.refused else data


class Fail:

    def __call__(self, data):
        raise KeyError('gt_bboxes')


class Images(BaseDataset):
    METAINFO = dict(classes=('a', 'b'))

    def load_data_list(self):
        return [dict(img_path=f'photos/{i}.jpg') for i in range(20)]


def make(*pipeline):
    # serialising collects garbage, which takes a while each time
    return Images(pipeline=list(pipeline) or [Augment()], serialize_data=False)


class Items:
    """What a loader reads at position k: item k."""

    def __init__(self, dataset, indices, seed):
        self.order, self.dataset = EndlessOrder(indices, seed), SeededDataset(dataset, indices)

    def index_at(self, k):
        return self.order[k].index

    def __getitem__(self, k):
        return self.dataset[self.order[k]]


INDICES = [1, 2, 3, 5, 8, 13, 19]


def take(loader, num):
    # torch closes the workers when the iterator dies
    return [(batch['index'], batch['drawn']) for batch in itertools.islice(iter(loader), num)]


def loader(start=0, num_workers=0, batch_size=3, **kwargs):
    extra = dict(persistent_workers=True) if num_workers else {}
    return build_endless_loader(
        dict(dataset=make(), batch_size=batch_size, num_workers=num_workers, collate_fn=dict(type=rows), **extra),
        INDICES, seed=7, start_iteration=start, **kwargs)


def rows(items):
    return {key: [item[key] for item in items] for key in items[0]}


def test_item_depends_on_seed_and_position_alone():
    one, other = Items(make(), INDICES, 7), Items(make(), INDICES, 7)
    forwards = [one[k] for k in range(30)]
    backwards = [other[k] for k in reversed(range(30))][::-1]
    assert forwards == backwards
    assert forwards != [Items(make(), INDICES, 8)[k] for k in range(30)]
    far = 10**15  # positions never end
    assert one[far] == other[far]


def test_every_epoch_is_another_permutation_of_the_indices():
    dataset = Items(make(), INDICES, 7)
    epochs = [[dataset.index_at(7 * e + k) for k in range(7)] for e in range(50)]
    assert all(sorted(epoch) == INDICES for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 50
    # every example comes first about equally often: 50/7 = 7.1, standard deviation 2.5
    firsts = np.bincount([epoch[0] for epoch in epochs], minlength=20)[INDICES]
    assert firsts.min() >= 1 and firsts.max() <= 18


def test_draws_look_independent():
    """Neighbouring positions, seeds and the three generators don't share streams."""
    drawn = np.array([Items(make(), INDICES, seed)[k]['drawn'] for seed in range(20) for k in range(50)])
    assert len(np.unique(drawn)) == drawn.size
    assert np.abs(drawn.mean(0) - .5).max() < 5 * (1 / 12 / 1000)**.5
    assert np.abs(np.corrcoef(drawn.T) - np.eye(3)).max() < 5 / 1000**.5
    assert abs(np.corrcoef(drawn[:-1, 0], drawn[1:, 0])[0, 1]) < 5 / 1000**.5


def test_random_states_are_restored():
    dataset = Items(make(), INDICES, 7)

    def draw():
        return random.random(), np.random.rand(), torch.rand(()).item()

    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = draw(), draw()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    first = draw()
    dataset[3]
    with pytest.raises(KeyError):
        Items(make(Fail()), INDICES, 7)[0]
    with pytest.raises(ZeroDivisionError), isolated_streams() as seed_streams:
        seed_streams(1, 2)
        1 / 0  # noqa: B018
    take(loader(), 2)
    assert (first, draw()) == expected


def test_workers_do_not_change_the_data():
    assert take(loader(), 8) == take(loader(num_workers=1), 8) == take(loader(num_workers=3), 8)


def test_resumed_loader_gives_the_suffix():
    whole = take(loader(), 12)
    for start in (1, 5, 11):
        assert take(loader(start), 12 - start) == whole[start:]
    assert take(loader(5, num_workers=2), 7) == whole[5:]


def test_ranks_together_read_what_one_rank_reads():
    whole = take(loader(batch_size=6), 4)
    ranks = [take(loader(rank=rank, world_size=2), 4) for rank in range(2)]
    assert [(a[0] + b[0], a[1] + b[1]) for a, b in zip(*ranks, strict=True)] == whole


def test_positions_of_a_rank():
    def positions(*args):
        return list(itertools.islice(EndlessSampler(range(10**9), *args), 6))

    assert positions(0, 2, 0, 1) == [0, 1, 2, 3, 4, 5]
    assert positions(5, 2, 1, 3) == [32, 33, 38, 39, 44, 45]  # 5*2*3 + 1*2, then 6 further


parts = st.lists(st.integers(0, 19), min_size=1, max_size=20, unique=True)
seeds = st.integers(0, 2**40)


@given(indices=parts, seed=seeds, positions=st.lists(st.integers(0, 10**12), min_size=1, max_size=8))
def test_an_item_is_a_function_of_seed_and_position(indices, seed, positions):
    dataset = Items(make(), indices, seed)
    read = [dataset[k] for k in positions]
    assert [Items(make(), indices, seed)[k] for k in reversed(positions)][::-1] == read
    assert all(item['index'] in indices for item in read)


@given(indices=parts, seed=seeds, epoch=st.integers(0, 10**9))
def test_any_epoch_shows_each_example_once(indices, seed, epoch):
    dataset = Items(make(), indices, seed)
    first = epoch * len(indices)
    assert sorted(dataset.index_at(first + k) for k in range(len(indices))) == sorted(indices)


@given(start=st.integers(0, 10**6), batch_size=st.integers(1, 9), world_size=st.integers(1, 9),
       number=st.integers(1, 5))
def test_ranks_partition_the_positions_of_an_iteration(start, batch_size, world_size, number):
    def batches(rank, first, number):
        sampler = EndlessSampler(range(10**9), first, batch_size, rank, world_size)
        positions = list(itertools.islice(sampler, number * batch_size))
        return [positions[i:i + batch_size] for i in range(0, len(positions), batch_size)]

    ranks = [batches(rank, start, number) for rank in range(world_size)]
    together = [position for t in range(number) for rank in ranks for position in rank[t]]
    first = start * batch_size * world_size
    assert together == list(range(first, first + number * batch_size * world_size))
    for rank, actual in enumerate(ranks):  # resumed at any iteration, the rest is the same
        assert batches(rank, start + number - 1, 1) == actual[-1:]


@given(indices=parts, seed=seeds, batch_size=st.integers(1, 7), start=st.integers(0, 40))
@settings(max_examples=25)
def test_a_batch_is_a_function_of_seed_and_iteration(indices, seed, batch_size, start):
    def batches(first, number):
        cfg = dict(dataset=make(), batch_size=batch_size, num_workers=0, collate_fn=dict(type=rows))
        return take(build_endless_loader(cfg, indices, seed, first), number)

    dataset = Items(make(), indices, seed)
    items = [dataset[start * batch_size + k] for k in range(2 * batch_size)]
    actual = batches(start, 2)
    assert [index for batch in actual for index in batch[0]] == [item['index'] for item in items]
    assert [drawn for batch in actual for drawn in batch[1]] == [item['drawn'] for item in items]
    assert batches(start + 1, 1) == actual[1:]


def test_workers_run_single_threaded():
    batch = next(iter(loader(num_workers=1)))
    assert batch['threads'] == [1, 1, 1]


def test_opencv_threads_of_a_worker():
    import cv2

    from imtnas_mm.datasets.endless import single_threaded_worker
    before, torch_before = cv2.getNumThreads(), torch.get_num_threads()
    try:
        single_threaded_worker(0)
        assert cv2.getNumThreads() == 1  # what OpenCV reports for 0, sequential
        assert torch.get_num_threads() == 1
    finally:
        cv2.setNumThreads(before)
        torch.set_num_threads(torch_before)


def test_dataset_is_not_copied_and_keeps_its_metainfo():
    dataset = make()
    built = build_endless_loader(dict(dataset=dataset, batch_size=2, num_workers=0), INDICES, 7)
    assert built.dataset.wrapped is dataset
    assert built.dataset.metainfo['classes'] == ('a', 'b')
    assert len(built.dataset) == 7


def test_pseudo_collate_is_the_default():
    batch = next(iter(build_endless_loader(dict(dataset=make(), batch_size=4, num_workers=0), INDICES, 7)))
    assert len(batch['drawn']) == 3 and len(batch['drawn'][0]) == 4


def test_a_refused_example_is_replaced_within_the_part():
    dataset = Items(make(Refuse(set(INDICES) - {5, 8}), Augment()), INDICES, 7)
    read = [dataset[k]['index'] for k in range(200)]
    assert set(read) == {5, 8}  # never one of the 13 examples that are not of this part
    again = Items(make(Refuse(set(INDICES) - {5, 8}), Augment()), INDICES, 7)
    assert [again[k]['index'] for k in range(200)] == read


def test_a_refused_example_of_several_datasets_is_replaced_within_the_part():
    both = ConcatDataset([make(Refuse({1, 2}), Augment()), make(Augment())])
    dataset = Items(both, [1, 2, 23], 7)  # 23 is the fourth of the second
    assert {dataset[k]['index'] for k in range(100)} == {3}


def test_a_pipeline_that_gives_none_again_and_again():
    with pytest.raises(DataError, match='returned None 1001 times .* photos/13.jpg'):
        Items(make(Refuse({13})), [13], 7)[0]


@pytest.mark.parametrize('indices', [[], [20], [-1], [[1, 2]]])
def test_bad_indices(indices):
    with pytest.raises(ValueError, match='indices'):
        Items(make(), indices, 7)


@pytest.mark.parametrize('change', [dict(start=-1), dict(batch_size_per_rank=0), dict(rank=2), dict(rank=-1)])
def test_bad_sampler(change):
    with pytest.raises(ValueError, match='start=|batch_size=|rank='):
        EndlessSampler(range(9), **{**dict(start=0, batch_size_per_rank=1, rank=0, world_size=2), **change})


@pytest.mark.parametrize(('change', 'match'), [
    (dict(dataset=dict(type='Images')), 'train_dataloader.cls.dataset: needs a built'),
    (dict(batch_size=None), r'train_dataloader.cls.batch_size: missing'),
    (dict(num_batch_per_epoch=3), 'num_batch_per_epoch=3'),
    (dict(worker_init_fn=dict(type='f')), 'worker_init_fn'),
])
def test_bad_loader_config(change, match):
    cfg = dict(dataset=make(), batch_size=2, num_workers=0)
    cfg.update(change)
    cfg = {key: value for key, value in cfg.items() if value is not None}
    with pytest.raises(ValueError, match=match):
        build_endless_loader(cfg, INDICES, 7, field='train_dataloader.cls')


def test_special_samplers_are_warned_about(recwarn):
    cfg = dict(dataset=make(), batch_size=2, num_workers=0)
    build_endless_loader(dict(cfg, sampler=dict(type='DefaultSampler', shuffle=True)), INDICES, 7)
    assert not [w for w in recwarn if 'is not used' in str(w.message)]
    with pytest.warns(UserWarning, match="train_dataloader.sampler='ClassAwareSampler' is not used"):
        build_endless_loader(dict(cfg, sampler=dict(type='ClassAwareSampler')), INDICES, 7)
    with pytest.warns(UserWarning, match="batch_sampler='AspectRatioBatchSampler' is not used"):
        build_endless_loader(dict(cfg, batch_sampler=dict(type='AspectRatioBatchSampler')), INDICES, 7)
