"""A search doesn't grow, and leaves no file and no worker behind. Over 2000 iterations: benchmarks/memory.py."""
import gc
from collections import Counter
from itertools import pairwise

import pytest
import torch
from mmengine.hooks import Hook
from torch.multiprocessing.reductions import shared_cache

from helpers import tiny_run as tiny
from imtnas_mm.search_report.charts import Curve, line_chart

memory = tiny.tool('memory', 'benchmarks')
STEP = 10  # iterations


class Counts(Hook):
    """Objects and tensors that are alive, four times, and some of those that are new the last time."""
    priority = 'LOWEST'

    def __init__(self):
        self.tensors, self.kinds, self.new = [], [], []
        self.known = set()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.every_n_train_iters(runner, STEP):
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
def test_nothing_grows_or_is_left(data, tmp_path):
    schedule = dict(rounds=1, max_epochs=4, epoch_length=STEP, val_interval=2)
    fields = tiny.search_fields(data, ('cls', 'cls2'), **schedule)
    for loader in fields['train_dataloader'].values():
        if isinstance(loader, dict):
            loader.update(num_workers=1, persistent_workers=True)
    fields['default_hooks'].update(architecture=dict(interval=STEP + 1), logger=dict(interval=5))
    config = tiny.write_config(tmp_path / 'tiny.py', 'imtnas_demo.py', **fields)
    # ahead, what a process opens once: fonts, those of a logarithmic axis, too
    tiny.run('train', config, '--work-dir', tmp_path / 'first', options=['train_cfg.max_epochs=1',
                                                                         'train_cfg.epoch_length=1'])
    line_chart([Curve('steep', [(0, 1.), (1, 1e4)])], 'a chart', 'iteration', (0, 1))
    gc.collect()
    files, own = memory.open_files(), memory.children()
    runner = tiny.runner_of(config, tmp_path / 'work')
    counts = Counts()
    runner.register_hook(counts)
    runner.train()
    assert runner.iter == 4 * STEP and len(counts.tensors) == 4
    assert len(set(counts.tensors)) == 1 and counts.tensors[0] > 100
    grown = [after - before for before, after in pairwise(counts.kinds)]
    steadily = grown[1] & grown[2]  # what grows each time; less than one per iteration
    assert steadily.total() < STEP, (steadily.most_common(5), counts.new)
    gc.collect()
    left = [path for name, path in memory.open_files().items() if files.get(name) != path]
    log, = (tmp_path / 'work').glob('*/*.log')
    assert left == [str(log)]  # mmengine's logger, which it keeps
    assert memory.children() == own


def test_the_slope_of_a_line():
    noise = [.1, -.1, -.1, .1]
    actual, error = memory.slope([0, 100, 200, 300], [5 + .02 * 100 * i + e for i, e in enumerate(noise)])
    assert actual == pytest.approx(.02) and error == pytest.approx((.04 / 2 / 50_000)**.5)
