"""Measures whether a long search leaks: its resident memory over 2000 iterations, and files and processes left open.

python benchmarks/memory.py [--out FILE] [--iterations N] [--cfg-options KEY=VALUE ...]

The search over the demonstration data (tools/make_demo_data.py) with small batches and few augmented images, a worker
for each dataloader, checkpoints and pictures of the architecture every 100 iterations, and two validations. Memory is
that of the process itself, in MB, read every 10 iterations.
rss_200, rss_1000, rss_2000: the mean of the 10 readings up to there (at other lengths: a tenth, a half, all of it).
growth: the last of these over the first. slope, slope_error: of a line through the readings after the first tenth, a
1000 iterations, and its standard error from readings averaged over 100 iterations, since neighbours go together.
files, children: open file descriptors and child processes after the run, less those before it; a run of 10 iterations
goes ahead, since fonts stay open once used. One file is left: mmengine keeps the log of a run open.
"""
import gc
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np

CONFIG = 'configs/imtnas_demo.py'
EVERY, MEAN = 10, 10  # iterations per reading, readings per mean
SMALL = {'train_dataloader.cls.batch_size': 8, 'train_dataloader.det.batch_size': 2, 'model.transfer.num_examples': 4,
         'model.transfer.num_augmentations': 4}


def resident():
    """MB."""
    with open('/proc/self/status') as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith('VmRSS'))


def open_files():
    """The files of all open descriptors of this process."""
    descriptors = {}
    for name in os.listdir('/proc/self/fd'):
        try:
            descriptors[name] = os.readlink(f'/proc/self/fd/{name}')
        except OSError:  # the listing's own
            continue
    return descriptors


def children():
    """The ids of all child processes, of any thread."""
    ids = set()
    for thread in Path('/proc/self/task').iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that ended since the folder was listed
            ids.update((thread / 'children').read_text().split())
    return ids


def slope(iterations, values):
    """The slope of a least-squares line, and its standard error."""
    x, y = np.asarray(iterations, float), np.asarray(values, float)
    x = x - x.mean()
    slope_of_x = (x @ y) / (x @ x)
    residuals = y - y.mean() - slope_of_x * x
    return slope_of_x, (residuals @ residuals / (len(x) - 2) / (x @ x))**.5


def search(iterations, work_dir, options):
    """(iteration, MB) per reading, of a search that is over and freed when this returns."""
    from mmengine.config import Config
    from mmengine.hooks import Hook

    from imtnas_mm.engine.launch import build_runner

    readings = []

    class Reader(Hook):
        priority = 'LOWEST'

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if self.every_n_train_iters(runner, EVERY):
                readings.append((runner.iter + 1, resident()))
                if (runner.iter + 1) % 100 == 0:
                    print(f'# {runner.iter + 1}: {readings[-1][1]:.1f} MB', file=sys.stderr, flush=True)

    cfg = Config.fromfile(CONFIG)
    length = min(100, iterations)
    cfg.merge_from_dict({
        'work_dir': work_dir, 'launcher': 'none', 'train_cfg.epoch_length': length,
        'train_cfg.max_epochs': iterations // length, 'train_cfg.val_interval': max(iterations // length // 2, 1),
        'default_hooks.logger.interval': 10, 'default_hooks.architecture.interval': 100,
        **SMALL, **{f'train_dataloader.{task}.{key}': value for task in cfg.train_cfg.order
           for key, value in dict(num_workers=1, persistent_workers=True).items()},
        **(options or {})})
    runner = build_runner(cfg)
    runner.register_hook(Reader())
    runner.train()
    return readings


def main():
    from figures import arguments, report
    from mmengine.config import DictAction
    parser = arguments(__doc__)
    parser.add_argument('--iterations', type=int, default=2000, help='default: %(default)s')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    args = parser.parse_args()
    if args.iterations < 400 or args.iterations % 200:
        parser.error(f'--iterations {args.iterations}: it must be a multiple of 200 from 400')
    import torch
    torch.set_num_threads(1)
    import imtnas_mm.engine  # noqa: F401
    from imtnas_mm.datasets.demo import make_demo_data
    make_demo_data('data/demo', 0)
    with tempfile.TemporaryDirectory() as work_dir:
        search(EVERY, os.path.join(work_dir, 'before'), args.cfg_options)
        gc.collect()
        files, before = open_files(), children()
        readings = search(args.iterations, os.path.join(work_dir, 'run'), args.cfg_options)
        gc.collect()
        left = {name: path for name, path in open_files().items() if name not in files}
        for path in left.values():
            print(f'# still open: {path}', file=sys.stderr)
    means = np.asarray(readings).reshape(-1, MEAN, 2).mean(1)
    marks = {at: float(np.mean([value for i, value in readings if at - EVERY * MEAN < i <= at]))
             for at in (args.iterations // 10, args.iterations // 2, args.iterations)}
    first, *_, last = marks.values()
    later = means[means[:, 0] > args.iterations / 10]
    rate, error = slope(later[:, 0], later[:, 1])
    report({**{f'rss_{at}': value for at, value in marks.items()}, 'growth': last / first, 'slope': 1000 * rate,
            'slope_error': 1000 * error, 'files': len(open_files()) - len(files),
            'children': len(children() - before)}, args.out)


if __name__ == '__main__':
    main()
