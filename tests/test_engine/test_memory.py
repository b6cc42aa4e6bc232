"""A search doesn't grow, and leaves no file and no worker behind. Over 2000 iterations: benchmarks/memory.py."""
import gc
from collections import Counter

import pytest
import torch
from mmengine.hooks import Hook
from torch.multiprocessing.reductions import shared_cache

from helpers import tiny_run as tiny

memory = tiny.tool('memory', 'benchmarks')
ITERATIONS = 150


class Counts(Hook):
    """Objects and tensors that are alive, three times, and some of those that are new the last time."""
    priority = 'LOWEST'

    def __init__(self):
        self.tensors, self.kinds, self.new = [], [], []
        self.known = set()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.every_n_train_iters(runner, ITERATIONS // 3):
            # what torch remembers of a worker's batches that are gone; it forgets them by itself, but seldom
            shared_cache.free_dead_references()
            for _ in range(3):  # a tuple of tuples of numbers leaves the collector's lists one level at a time
                gc.collect()
            objects = gc.get_objects()
            self.tensors.append(sum(isinstance(item, torch.Tensor) for item in objects))
            self.kinds.append(Counter(type(item).__name__ for item in objects))
            new = [item for item in objects if type(item) is tuple and id(item) not in self.known][:5]
            self.new = [[type(entry).__name__ for entry in item[:8]] for item in new]
            self.known = {id(item) for item in objects}


@pytest.mark.slow
def test_150_iterations(data, tmp_path):
    schedule = dict(rounds=1, max_epochs=3, epoch_length=ITERATIONS // 3, val_interval=2)
    fields = tiny.search_fields(data, ('cls', 'cls2'), **schedule)
    for loader in fields['train_dataloader'].values():
        if isinstance(loader, dict):
            loader.update(num_workers=1, persistent_workers=True)
    fields['default_hooks'].update(architecture=dict(interval=25), logger=dict(interval=10))
    config = tiny.write_config(tmp_path / 'tiny.py', 'imtnas_demo.py', **fields)
    # ahead, what a process opens once: fonts
    tiny.run('train', config, '--work-dir', tmp_path / 'first', options=['train_cfg.max_epochs=1',
                                                                         'train_cfg.epoch_length=1'])
    files, own = memory.open_files(), memory.children()
    runner = tiny.runner_of(config, tmp_path / 'work')
    counts = Counts()
    runner.register_hook(counts)
    runner.train()
    assert runner.iter == ITERATIONS and len(counts.tensors) == 3
    assert counts.tensors[0] == counts.tensors[1] == counts.tensors[2] > 100
    grown = counts.kinds[2] - counts.kinds[1]
    assert grown.total() < 100, (grown.most_common(5), counts.new)  # less than one per iteration
    left = [path for name, path in memory.open_files().items() if files.get(name) != path]
    log, = (tmp_path / 'work').glob('*/*.log')
    assert left == [str(log)]  # mmengine's logger, which it keeps
    assert memory.children() == own


def test_the_slope_of_a_line():
    noise = [.1, -.1, -.1, .1]
    actual, error = memory.slope([0, 100, 200, 300], [5 + .02 * 100 * i + e for i, e in enumerate(noise)])
    assert actual == pytest.approx(.02) and error == pytest.approx((.04 / 2 / 50_000)**.5)
