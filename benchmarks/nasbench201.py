"""Times a search on NAS-Bench-201 against one whose supernet is written edge by edge; ratios of one run.

python benchmarks/nasbench201.py [--out FILE] [--repeats N]

Both sides run configs/imtnas_cifar_nasbench201_small.py (8 channels, one cell per stage, images of 16 x 16, batches of
32; transfers of 8 x 8 views) with the exact gradient, on one thread. The plain supernet is the tests' oracle, which the
fast one equals to 1e-10 in float64. Time is the process's CPU time: the two take turns, and the fastest iteration of
each counts. Images are random, and reading them is not timed. For <method> in mtl_sao and imtnas:
<method>_seconds: of 300 iterations;
<method>_over_plain: over those with the plain supernet.
imtnas_active: share of the transfers that passed something in the last iteration.
"""
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / 'configs' / 'imtnas_cifar_nasbench201_small.py'
METHODS = dict(  # as the experiments on this space have them
    mtl_sao={'model.type': 'MTLSAO', 'model.transfer': None, 'optim_wrapper.encoder.optimizer.lr': .1},
    imtnas={'model.encoder_weights.stage_std': 1.})  # so that teachers and students disagree on random images, too
ITERATIONS = 300  # of a search


def search(options, plain):
    """An iteration on random batches as a function, and its model."""
    from mmengine.config import Config
    from paper_searches import Data, build, loop

    class SmallData(Data):
        """Batches of the config's size and images."""

        def __init__(self, cfg):
            self.sizes = dict.fromkeys(cfg.train_dataloader, (16, 16))
            self.numbers = {name: part.batch_size for name, part in cfg.train_dataloader.items()}
            self.half = cfg.model.transfer.num_examples // 2 if cfg.model.transfer else 0

        def stage(self, stage, previous):
            return super().stage(stage, previous if self.half else None)

    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict(options)
    if plain:
        space = cfg.model.search_space
        cfg.model.search_space = dict(type='PlainNASBench201', channels=space.channels, cells=space.cells)
    model = build(cfg, 'exact')
    data = SmallData(cfg)
    iterate = loop(cfg, model, data)

    def timed():
        batches = data.iteration(model)
        start = time.process_time()
        iterate(batches)
        return time.process_time() - start

    return timed, model


def over_plain(options, repeats):
    """CPU seconds of the fastest iteration, its ratio to the plain supernet's, and the share of active transfers."""
    from paper_searches import active_share
    sides = [search(options, plain) for plain in (False, True)]
    times = [[timed() for timed, _ in sides] for _ in range(repeats + 1)][1:]  # the first one warms up
    fast, plain = map(min, zip(*times, strict=True))
    return fast, fast / plain, active_share(sides[0][1])


def main(argv=None):
    from figures import arguments, report
    parser = arguments(__doc__)
    parser.add_argument('--repeats', type=int, default=5, help='timed iterations per side (default: %(default)s)')
    args = parser.parse_args(argv)
    import torch
    torch.set_num_threads(1)
    sys.path.insert(0, str(ROOT / 'tests'))
    from paper_searches import imports

    from helpers.plain_nasbench201 import PlainSupernet
    from imtnas_mm.registry import MODELS
    imports()
    MODELS.register_module(name='PlainNASBench201', module=PlainSupernet, force=True)
    figures = {}
    for method, options in METHODS.items():
        seconds, ratio, active = over_plain(options, args.repeats)
        figures.update({f'{method}_seconds': ITERATIONS * seconds, f'{method}_over_plain': ratio})
        if method == 'imtnas':
            figures[f'{method}_active'] = active
    report(figures, args.out)


if __name__ == '__main__':
    main()
