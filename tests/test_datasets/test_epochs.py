"""Epochs whose batches are mmengine's, and whose examples are functions of seed, rank, iteration and place."""
import random

import mmdet.datasets.samplers  # noqa: F401  registers them
import mmpretrain.datasets.samplers  # noqa: F401
import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.registry import DATA_SAMPLERS
from mmengine.runner import Runner
from torch.utils.data import RandomSampler

from imtnas_mm.datasets import build_epoch_loader


class Augment:
    """Draws from each of the three generators."""

    def __call__(self, data):
        return dict(index=data['sample_idx'], drawn=(random.random(), np.random.rand(), torch.rand(()).item()))


class Refuse:
    """A crop that finds no object in half of its draws."""

    def __call__(self, data):
        return None if np.random.rand() < .5 else data


class Images(BaseDataset):
    METAINFO = dict(classes=('a', 'b'))

    def load_data_list(self):
        return [dict(img_path=f'photos/{i}.jpg', width=10 + i % 3, height=11) for i in range(20)]


@DATA_SAMPLERS.register_module(force=True)
class Endless(torch.utils.data.Sampler):

    def __init__(self, dataset, seed):
        self.dataset = dataset

    def __len__(self):
        return len(self.dataset)

    def __iter__(self):
        while True:
            yield 0


DATA_SAMPLERS.register_module(
    name='GlobalDraws', module=lambda dataset, seed: RandomSampler(dataset), force=True)  # of torch's generator
DEFAULT = dict(type='DefaultSampler', shuffle=True)
SAMPLERS = dict(
    default=dict(sampler=DEFAULT),
    last_dropped=dict(sampler=DEFAULT, drop_last=True),
    plain=dict(sampler=dict(type='DefaultSampler', shuffle=False)),
    repeated=dict(sampler=dict(type='mmpretrain.RepeatAugSampler')),
    aspect=dict(sampler=DEFAULT, batch_sampler=dict(type='mmdet.AspectRatioBatchSampler')))


def rows(items):
    return [(item['index'], item['drawn']) for item in items]


def cfg(pipeline=None, **options):
    dataset = Images(pipeline=pipeline or [Augment()], serialize_data=False)
    return dict(dict(num_workers=0, sampler=DEFAULT), dataset=dict(type=lambda: dataset), batch_size=3,
                collate_fn=dict(type=rows), **options)


def epoch(loader, number, done=0):
    loader.batch_sampler.seek(number, done)
    return list(loader)


def indices(batches):
    return [[index for index, _ in batch] for batch in batches]


@pytest.mark.parametrize('options', SAMPLERS.values(), ids=SAMPLERS)
def test_batches_are_those_of_mmengine(options):
    loader, plain = build_epoch_loader(cfg(**options), 7), Runner.build_dataloader(cfg(**options), seed=7)
    assert len(loader) == len(plain) and loader.batch_sampler.batch_size == 3
    for number in (0, 1, 2):
        sampler = plain.batch_sampler.sampler
        sampler.set_epoch(number)
        assert indices(epoch(loader, number)) == indices(plain)


@pytest.mark.parametrize('options', [*SAMPLERS.values(), dict(sampler=dict(type='GlobalDraws'))], ids=[
    *SAMPLERS, 'global'])
def test_any_part_of_any_epoch_is_a_function_of_the_seed(options):
    whole = [epoch(build_epoch_loader(cfg(**options), 7), number) for number in (0, 1, 2)]
    assert whole[1] != whole[2]
    torch.manual_seed(99)
    other = build_epoch_loader(cfg(**options, num_workers=2, persistent_workers=True), 7)
    for number, done in ((2, 4), (0, 0), (1, 5), (1, len(other) - 1), (2, len(other))):
        assert epoch(other, number, done) == whole[number][done:]
        assert len(other) == len(whole[0])
    assert [x for _, x in sum(epoch(build_epoch_loader(cfg(**options), 8), 0), [])] != \
        [x for _, x in sum(whole[0], [])]


def test_no_two_examples_draw_alike(monkeypatch):
    loader = build_epoch_loader(cfg(sampler=dict(type='mmpretrain.RepeatAugSampler')), 7)
    drawn = [draw for number in range(3) for batch in epoch(loader, number) for _, draw in batch]
    monkeypatch.setattr('imtnas_mm.datasets.epochs.get_rank', lambda: 1)
    loader = build_epoch_loader(cfg(sampler=dict(type='mmpretrain.RepeatAugSampler')), 7)
    drawn += [draw for number in range(3) for batch in epoch(loader, number) for _, draw in batch]
    assert len(set(drawn)) == len(drawn) == 2 * 3 * 20


def test_reading_leaves_the_global_generators_alone():
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.random(), np.random.rand(), torch.rand(()).item()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    loader = build_epoch_loader(cfg(generator=torch.Generator()), 7)
    epoch(loader, 0)
    assert (random.random(), np.random.rand(), torch.rand(()).item()) == expected


def test_what_is_refused_is_drawn_again_alike():
    first, second = (epoch(build_epoch_loader(cfg([Refuse(), Augment()]), 7), 1) for _ in range(2))
    assert first == second
    assert indices(first) != indices(epoch(build_epoch_loader(cfg(), 7), 1))


def test_epochs_of_unlike_lengths_are_refused():
    with pytest.raises(ValueError, match='^train_dataloader: Endless with BatchSampler gives more than 7 batches in '
                                         'epoch 1 where their length is 7'):
        epoch(build_epoch_loader(cfg(sampler=dict(type='Endless')), 7), 0)
