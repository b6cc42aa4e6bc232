"""Measures memory and time of model.recompute, which computes blocks again, on a CPU; ratios of one run.

python benchmarks/recompute.py [--out FILE]

One iteration of the exact search over CIFAR-10 and CIFAR-100 on 3 cells of DARTS with 8 channels, batches of 16 images,
8 x 8 images in the transfer, one round, one thread; every transfer is active.

memory_mb_<kind>: the peak of resident memory over what the process held before, in a separate process that gives freed
memory back at once. counted_mb_<kind>: the same by `footprint.py`, without the inner memory of the CPU's convolutions.
time_<kind>: CPU time over that of `none`; the kinds take turns, and the faster of two iterations after a first one
counts for each. operations_<kind>: operators over those of `none`.
"""
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = ('none', 'views', 'all')


def search():
    """(Config, Data)"""
    from paper_searches import Data, differing, tiny
    cfg = differing(tiny('darts'))
    cfg.model.search_space.channels = 8
    cfg.model.transfer.update(num_examples=8, num_augmentations=8)
    for task in cfg.model.tasks.values():
        task.model.head.in_channels = 128
    data = Data(cfg, small=True)
    data.numbers = dict(c10=16, c100=16)
    return cfg, data


def live(kind):
    """(model, function that runs the next iteration), after a first one."""
    from paper_searches import build, loop, making_live
    cfg, data = search()
    model = build(cfg, 'exact', recompute=kind)
    iterate = loop(cfg, model, data)
    with making_live(model):
        iterate()
    return model, iterate


def memory(kind):
    """MB, real and counted."""
    import gc

    from footprint import peak
    from hypergradient import forget_peak, resident
    from paper_searches import active_share
    model, iterate = live(kind)
    gc.collect()
    before = resident('VmRSS')
    forget_peak()
    iterate()
    figures = dict(memory=resident('VmHWM') - before, active=active_share(model))
    cfg, data = search()
    counter = peak(cfg, 'exact', data, recompute=kind)
    return dict(figures, counted=counter.peak / 2**20)


def times():
    """dict[str, list]: CPU seconds, and operators, by kind."""
    from counting import OperationCounter
    from paper_searches import active_share
    by_kind = {kind: live(kind) for kind in KINDS}
    searches = {kind: iterate for kind, (_, iterate) in by_kind.items()}
    seconds = {kind: [] for kind in KINDS}
    operations = {}
    for _ in range(2):
        for kind, iterate in searches.items():
            start = time.process_time()
            iterate()
            seconds[kind].append(time.process_time() - start)
            if active_share(by_kind[kind][0]) < 1:
                raise SystemExit('a transfer was not active: its second pass is not in the time')
    for kind, iterate in searches.items():
        with OperationCounter() as counter:
            iterate()
        operations[kind] = counter.operations
    return dict(seconds={kind: min(values) for kind, values in seconds.items()}, operations=operations)


def measure(kind, *arguments):
    """A measurement in a separate process."""
    from figures import measured
    return measured(__file__, [kind, *arguments], memory=kind == 'memory')


def main():
    sys.path.insert(0, HERE)
    from figures import arguments, report
    parser = arguments(__doc__)
    parser.add_argument('--task', help='used by the benchmark itself')
    args = parser.parse_args()
    if args.task:
        import torch
        from paper_searches import imports
        torch.set_num_threads(1)
        imports()
        kind, *arguments = json.loads(args.task)
        print(json.dumps(dict(memory=memory, times=times)[kind](*arguments)))
        return
    figures = {}
    for kind in KINDS:
        measured = measure('memory', kind)
        figures.update({f'memory_mb_{kind}': measured['memory'], f'counted_mb_{kind}': measured['counted'],
                        f'active_{kind}': measured['active']})
    measured = measure('times')
    for kind in KINDS:
        figures[f'time_{kind}'] = measured['seconds'][kind] / measured['seconds']['none']
        figures[f'operations_{kind}'] = measured['operations'][kind] / measured['operations']['none']
    report(figures, args.out)


if __name__ == '__main__':
    main()
