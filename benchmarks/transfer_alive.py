"""Measures on real images whether the transfer of each shipped search config passes knowledge.

python benchmarks/transfer_alive.py [--data data/small] [--out FILE] [--configs NAME ...] [--iterations N] [--seconds S]
    [--batch-size N] [--device DEVICE] [--statistic NAME] [--cfg-options KEY=VALUE ...]

--data holds cifar10, tiny100 (100 classes in the layout of CIFAR-100), imagenet and coco in the layouts that the small
configs read; the configs of the paper's size take the same sets at their own sizes of the transfer's images. For
<config>, at the `start` and `trained`, after <config>_iterations of the weight stages:
<config>_<when>_different, _active: the shares of pairs that the teacher tells apart, and on which teacher and student
disagree, with the config's own transfer; each should lie in [.05, .95].
<config>_<when>_same: the share told apart of pairs of sets of one image, alone in their batch; at most .05.
<config>_<when>_C<n>_different and so on: for C = 3, 10, 20, 40 augmentations in the place of the config's.
<config>_<when>_tau<t>_different and so on: for tau = .1, 1, 5, 25, 100.
<config>_<when>_alike: correlation of the teacher's statistics with the student's, C = 20.
outside: the number of figures of the first two kinds that are not in their range.

For a CPU's sake, here K tasks have one round, A is not stepped, batches have --batch-size images at most (detection: 2,
at 320 pixels at most), and while weights are trained the transfer has 4 images of 4 augmentations; the shares are means
over three draws of 12 images (66 pairs), each of 40 augmentations, all at once, cut into sets of C, after --iterations
or when --seconds are over. For P-DARTS, the first phase. The transfer's options are those of the config
but for --statistic; --cfg-options go to all configs.
"""
import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SIZES, THRESHOLDS = (3, 10, 20, 40), (.1, 1., 5., 25., 100.)
IMAGES, DRAWS, VIEWS = 12, 3, max(SIZES)
SETS = dict(c10='cifar10', c100='tiny100', cls='imagenet', imagenet='imagenet', det='coco')  # by the tasks of configs
MARKS = dict(cifar10='cifar-10-batches-py', tiny100='cifar-100-python', imagenet='train', coco='annotations')


def names():
    """All search configs of the method."""
    return sorted(path.stem for path in (ROOT / 'configs').glob('imtnas_*.py'))


def load(name, data, options=None, batch_size=32):
    """The config of a search, on the sets of ``data``, with options by dots and ``batch_size`` images at most.

    Raises:
        SystemExit: names a set that is missing.
    """
    from mmengine.config import Config
    cfg = Config.fromfile(ROOT / 'configs' / f'{name}.py')
    if 'phases' in cfg:
        cfg.merge_from_dict(dict(model=cfg.phases[0]['config']['model']))
    cfg.merge_from_dict(options or {})
    for task, loader in cfg.train_dataloader.items():
        loader.update(num_workers=0, persistent_workers=False,
                      batch_size=min(loader.batch_size, 2 if task == 'det' else batch_size))
        dataset = loader.dataset
        if dataset.data_root.startswith('data/demo'):
            dataset.data_root = str(ROOT / dataset.data_root)
            continue
        root = Path(data) / SETS[task]
        if not (root / MARKS[SETS[task]]).is_dir():
            raise SystemExit(f'--data {data}: {root / MARKS[SETS[task]]} is missing, which {name} needs for its task '
                             f'{task!r}; docs/data.md has the layouts')
        dataset.data_root = str(root)
        if SETS[task] == 'imagenet':
            dataset.pop('split', None)
            dataset.update(type='CustomDataset', data_prefix='train')
        elif task == 'det':
            for step in dataset.pipeline:
                if step['type'] == 'Resize':
                    step['scale'] = tuple(min(side, 320) for side in step['scale'])
        else:
            dataset.check_md5 = False
    return cfg


class Search:
    """A search of one round, and its data; ``iterate`` runs the weight stages of an iteration."""

    def __init__(self, cfg, device='cpu'):
        from paper_searches import build, optimisers

        from imtnas_mm.datasets.split import splits_of
        from imtnas_mm.engine.loops.search_loop import SearchData
        from imtnas_mm.engine.loops.task_data import TaskData
        self.options = dict(cfg.model.transfer)
        small = dict(cfg.model.transfer, num_examples=4, num_augmentations=4)
        self.model = build(cfg, 'first_order', rounds=1, transfer=small, keep_graphs=False, recompute='none')
        self.model.to(device)
        self.optim_wrapper = optimisers(cfg, self.model)
        splits = splits_of(cfg.train_cfg.get('split'), self.model.order, 'train_cfg.split')
        self.tasks = {name: TaskData(name, i, cfg.train_dataloader[name], self.model.tasks[name].scope, splits[name])
                      for i, name in enumerate(self.model.order)}
        self.data = SearchData(self.model.stages, self.tasks, 4, self.model.unroll_batch, 100)
        self.data.start(0)
        self.iteration = 0

    def iterate(self, step=True):
        from imtnas_mm.progress import Progress
        model = self.model
        model.set_progress(Progress(0, 50, 0, 0.))
        batches = self.data.next(self.iteration, model.active_stages())
        model.start_iteration(self.iteration)
        for stage, batch in zip(model.active_stages(), batches.stages, strict=True):
            model.train_stage(stage, batch, self.optim_wrapper)
        if step:
            model.step_weights(self.optim_wrapper)
            self.iteration += 1

    def embeddings(self, images):
        """The last transfer's teacher and student of views of images [S, 3, h, w]: two Tensors [S, 40, F]."""
        import torch

        from imtnas_mm.registry import MODELS
        model, (before, after) = self.model, self.model.records[-2:]
        transfer = MODELS.build(dict(self.options, type='imtnas_mm.MMDTransfer', num_augmentations=VIEWS))
        with torch.no_grad():
            views = transfer.views(images)
            for record, weights in ((before, before.virtual_encoder), (after, model.encoder_before(after))):
                yield model.tasks[record.stage.task].embed(weights, model.gates, views).view(len(images), VIEWS, -1)

    def images(self, seed):
        """Images of the last transfer's tasks, half each: [12, 3, h, w], other ones for each seed."""
        import torch
        size, half = self.model.transfer.image_size, IMAGES // 2
        parts = []
        for i, record in enumerate(self.model.records[-2:]):
            task = record.stage.task
            loader = self.tasks[task].example_loader(1000 * seed + i, 0, half)
            parts.append(self.model.tasks[task].examples(next(iter(loader))['inputs'], size))
        return torch.cat(parts).to(self.model.progress.device)


def shares(options, teacher, student, size):
    """Means of the figures of a transfer over all sets of ``size`` views: (different, active)."""
    import torch

    from imtnas_mm.registry import MODELS
    from imtnas_mm.transfer import Encoder
    transfer = MODELS.build(dict(options, type='imtnas_mm.MMDTransfer', num_augmentations=size))
    figures = []
    for first in range(0, VIEWS - size + 1, size):
        views = [e[:, first:first + size].flatten(0, 1) for e in (teacher, student)]
        taught = transfer.teacher_side(Encoder(None, lambda images: images), views[0])
        result = transfer.student_side(Encoder(None, lambda images: images), views[1], taught).figures
        figures.append([result['different'].item(), result['active'].item()])
    return torch.tensor(figures).mean(0).tolist()


def figures_of(search, options, prefix):
    """All figures of a search at its present weights: means over the draws."""
    import torch
    torch.manual_seed(0)
    draws = [figures_of_images(search, options, search.images(1 + draw)) for draw in range(DRAWS)]
    return {f'{prefix}_{name}': sum(draw[name] for draw in draws) / DRAWS for name in draws[0]}


def figures_of_images(search, options, images):
    import torch

    from imtnas_mm.registry import MODELS
    from imtnas_mm.transfer import Encoder
    pair = [embedded.cpu() for embedded in search.embeddings(images)]
    alone = [[embedded.cpu() for embedded in search.embeddings(image.expand(4, -1, -1, -1))]
             for image in (images[0], images[-1])]
    figures = {}
    cases = {'': {}, **{f'C{size}_': dict(num_augmentations=size) for size in SIZES},
             **{f'tau{tau:g}_': dict(threshold=tau) for tau in THRESHOLDS}}
    for case, changes in cases.items():
        changed = {**options, **changes}
        size = min(changed['num_augmentations'], VIEWS)
        different, active = shares(changed, *pair, size)
        same = [shares(changed, *one, size)[0] for one in alone]
        figures.update({f'{case}different': different, f'{case}active': active,
                        f'{case}same': sum(same) / len(same)})
    size = min(20, VIEWS)
    transfer = MODELS.build(dict(options, type='imtnas_mm.MMDTransfer', num_augmentations=size))
    statistics = [transfer.statistics(Encoder(None, lambda images: images), e[:, :size].flatten(0, 1)) for e in pair]
    figures['alike'] = torch.corrcoef(torch.stack(statistics))[0, 1].item()
    return figures


def measure(name, data, iterations, seconds, statistic=None, cfg_options=None, device='cpu', batch_size=32):
    """dict: name -> figure of one config."""
    search = Search(load(name, data, cfg_options, batch_size), device)
    options = dict(search.options, **({} if statistic is None else dict(statistic=statistic)))
    search.iterate(step=False)
    figures, start = figures_of(search, options, f'{name}_start'), time.monotonic()
    while search.iteration < iterations and time.monotonic() - start < seconds:
        search.iterate()
    search.iterate(step=False)
    figures.update(figures_of(search, options, f'{name}_trained'))
    figures[f'{name}_iterations'] = search.iteration
    return figures


def in_range(name, value):
    """Whether a figure is in its range; figures without a range are."""
    if name.endswith('_same'):
        return value <= .05
    return not name.endswith(('_different', '_active')) or .05 <= value <= .95


def main(argv=None):
    from figures import arguments, report
    from mmengine.config import DictAction
    parser = arguments(__doc__)
    parser.add_argument('--data', default='data/small', help='folder of the sets (default: %(default)s)')
    parser.add_argument('--configs', nargs='+', metavar='NAME', help='without .py; all by default')
    parser.add_argument('--iterations', type=int, default=100, help='default: %(default)s')
    parser.add_argument('--seconds', type=float, default=300, help='of training, per config (default: %(default)s)')
    parser.add_argument('--batch-size', type=int, default=32, metavar='N', help='images to classify per iteration, '
                        'at most (default: %(default)s)')
    parser.add_argument('--statistic', help="in the place of the configs' own")
    parser.add_argument('--device', default='cpu', help='cpu or cuda (default: %(default)s)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='of all configs')
    args = parser.parse_args(argv)
    unknown = sorted(set(args.configs or ()) - set(names()))
    if unknown:
        parser.error(f'--configs {unknown}: the search configs are {names()}')
    import torch
    torch.set_num_threads(1)
    from mmengine.registry import init_default_scope
    from paper_searches import imports

    from imtnas_mm.datasets.demo import make_demo_data
    imports()
    init_default_scope('imtnas_mm')
    chosen, figures = args.configs or names(), {}
    if 'imtnas_demo' in chosen:
        os.chdir(ROOT)
        make_demo_data('data/demo')
    # a search of one task has no transfer; what is missing is said before anything runs
    chosen = [name for name in chosen if len(load(name, args.data).train_cfg.order) > 1]
    for name in chosen:
        start = time.monotonic()
        figures.update(measure(name, args.data, args.iterations, args.seconds, args.statistic, args.cfg_options,
                               args.device, args.batch_size))
        values = {key.removeprefix(f'{name}_'): round(value, 3) for key, value in figures.items()
                  if key.startswith((f'{name}_start', f'{name}_trained', f'{name}_iterations'))}
        print(f'# {name}, {time.monotonic() - start:.0f} s: {values}', file=sys.stderr, flush=True)
        if args.out:  # what there is so far
            Path(args.out).write_text(json.dumps(figures, indent=1) + '\n')
    outside = [key for key, value in figures.items() if not in_range(key, value)]
    print(f'# outside: {outside}', file=sys.stderr)
    report(dict(figures, outside=len(outside)), args.out)


if __name__ == '__main__':
    main()
