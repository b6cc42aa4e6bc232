"""Measures the searches on one GPU, and the errors of A's gradient there; one command of at most 8 minutes.

python benchmarks/gpu.py [--out FILE] [--quick] [--cpu] [--only PART ...] [--tables FILE]

Each figure is printed when it is known, and FILE is written anew each time. If a part fails, only its figures are
missing, and the exit status is 1. On a GPU no part begins after 7 minutes.

Searches are the paper's configs at their batch sizes per GPU, on random data, by the loop's own iteration. The first
iterations (cuDNN picks its kernels there) aren't timed; seconds are the median of the next few. `_active` is the
share of transfers that were active: except in `_default`, encoders differ and thresholds are set so that all are, and
A's gradient takes its second pass through all stages. darts_exact and cls_det_224_exact have model.recompute='views',
`_none`, `_views` and `_all` have the value in their name, and all others have 'none'. `_replay` has model.replay. For
each search:

`_seconds`; `_gib`, the largest memory of PyTorch's tensors, `_reserved_gib`, of its allocator;
`_busy`, the time in which any kernel runs, over `_seconds`; and per iteration, `_launches`, `_kernels`,
`_graph_launches`, `_synchronisations` of streams and events, `_to_host`, `_to_device`, `_within_device` (copies). The
profiler slows the host, not the kernels: `_busy` takes their time from a profiled iteration, and `_seconds` from
others.

darts_second_order_over_plain: seconds of second-order DARTS, batch 64, over those of the supernet written edge by edge.
gradient_error_exact: A's exact gradient in float64, this GPU's against a CPU's.
gradient_error_*, difference_error_*: A's gradient in float32 (exact, by finite differences) against the exact one in
float64: `fp32`, in full; `tf32_weights`, with model.tf32 in the weight stages; `tf32_chain`, with TF32 in the chain,
which no option allows. gradient_chain_share: the chain's share of the gradient. Errors are Euclidean, relative.

--quick takes one repetition and leaves out some parts.
--tables appends to a file, for one more iteration of each profiled search, the operators and kernels that take the most
time, on the host and on the GPU, and the operators that take the most memory.
--cpu runs all parts at small sizes on the CPU, and says which figures need a GPU; so does a machine without a GPU.
"""
import copy
import gc
import json
import logging
import os
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = 7 * 60  # seconds after which no part begins
REPEATS = 3
GIB = 2**30


class Figures(dict):
    """Figures by name, printed and written as they come."""

    def __init__(self, out):
        super().__init__()
        self.out = out

    def add(self, figures):
        for name, value in figures.items():
            print(f'{name} {value:.4g}', flush=True)
        self.update(figures)
        if self.out:
            Path(self.out).write_text(json.dumps(self, indent=1) + '\n')


class Place:
    """Device and size of all parts.

    Args:
        device (str): ``cuda`` or ``cpu``.
        small (bool): few channels and small images.
        repeats (int): iterations that are timed.
        tables (str, optional): file for the tables of the profiled searches.
    """

    def __init__(self, device, small, repeats, tables=None):
        self.device, self.small, self.repeats, self.tables = device, small, repeats, tables

    @property
    def on_gpu(self):
        return self.device == 'cuda'

    @property
    def warm(self):
        """int: iterations before those that are timed, after a first one."""
        return 2 if self.on_gpu else 0  # a second call of a computation records it

    def config(self, name):
        from paper_searches import config, tiny
        return tiny(name) if self.small else config(name)

    def wait(self):
        import torch
        if self.on_gpu:
            torch.cuda.synchronize()

    def seconds(self, function, make=tuple):
        """list[float]: of ``repeats`` calls of ``function(*make())``, without ``make``."""
        seconds = []
        for _ in range(self.repeats):
            arguments = make()
            self.wait()
            start = time.perf_counter()
            function(*arguments)
            self.wait()
            seconds.append(time.perf_counter() - start)
        return seconds


# --- what the profiler saw ---


def union(intervals):
    """The length of the union of (start, end)."""
    total, last = 0., float('-inf')
    for start, end in sorted(intervals):
        total += max(0., end - max(start, last))
        last = max(last, end)
    return total


def read_trace(events):
    """Counts and seconds of the events of a Chrome trace of PyTorch's profiler."""
    kernels, calls, copies = [], {}, dict(HtoD=0, DtoH=0, DtoD=0)
    for event in events:
        kind, name = event.get('cat'), event.get('name', '')
        if event.get('ph') != 'X':
            continue
        if kind == 'kernel':
            kernels.append((event['ts'], event['ts'] + event['dur']))
        elif kind == 'gpu_memcpy':
            for direction in copies:
                copies[direction] += direction in name
        elif kind in ('cuda_runtime', 'cuda_driver'):
            calls[name] = calls.get(name, 0) + 1
    launches = sum(number for name, number in calls.items() if name.startswith(('cudaLaunch', 'cuLaunch')))
    return dict(busy_seconds=union(kernels) / 1e6, kernels=len(kernels), launches=launches,
                graph_launches=calls.get('cudaGraphLaunch', 0) + calls.get('cuGraphLaunch', 0),
                synchronisations=sum(calls.get(name, 0) for name in ('cudaStreamSynchronize', 'cudaEventSynchronize')),
                to_host=copies['DtoH'], to_device=copies['HtoD'], within_device=copies['DtoD'])


def profiled(function, gpu=True):
    """:func:`read_trace` of a call; without a GPU there is nothing to see but that it works."""
    import torch
    from torch.profiler import ProfilerActivity, profile
    with profile(activities=[ProfilerActivity.CUDA if gpu else ProfilerActivity.CPU]) as profiler:
        function()
        if gpu:
            torch.cuda.synchronize()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'trace.json')
        profiler.export_chrome_trace(path)
        with open(path, encoding='utf-8') as file:
            return read_trace(json.load(file)['traceEvents'])


def tables(name, function, gpu, file):
    """Appends to a file what takes the most time and memory in a call; the profiler slows the host."""
    import torch
    from torch.profiler import ProfilerActivity, profile
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]
    with profile(activities=activities, profile_memory=True) as profiler:
        function()
        if gpu:
            torch.cuda.synchronize()
    averages = profiler.key_averages()
    with open(file, 'a', encoding='utf-8') as out:
        for sort in ('self_cpu_time_total', *(('self_cuda_time_total', 'self_cuda_memory_usage') if gpu else ())):
            out.write(f'# {name}, by {sort}\n{averages.table(sort_by=sort, row_limit=40, max_name_column_width=80)}\n')


# --- the parts; each gives figures one after the other ---


def search(place, name, config_name, mode, live=True, pixels=None, profile=True, **options):
    """An iteration of a search.

    Args:
        name (str): of the figures.
        config_name, mode (str): of ``paper_searches``; ``hypergradient``.
        live (bool): transfers are active.
        pixels (int, optional): of the transfer's images.
        profile (bool): count launches, too.
        options: of the model.
    """
    import torch
    from paper_searches import Data, active_share, build, differing, loop, making_live, standing
    cfg = place.config(config_name)
    if live:
        standing(differing(cfg))
    if pixels and not place.small:
        cfg.model.transfer.image_size = pixels
    model = build(cfg, mode, **options).to(place.device)
    data = Data(cfg, place.small)
    iterate, batches = loop(cfg, model, data), data.iteration(model)

    def fresh():  # an iteration moves what it is given to its device
        return (copy.deepcopy(batches), )

    if live:
        with making_live(model):
            iterate(*fresh())
    for _ in range(place.warm + (not live)):
        iterate(*fresh())
    if place.on_gpu:
        torch.cuda.reset_peak_memory_stats()
    seconds = statistics.median(place.seconds(iterate, fresh))
    values = {'seconds': seconds, 'active': active_share(model)}
    if place.on_gpu:
        values['gib'] = torch.cuda.max_memory_allocated() / GIB
        values['reserved_gib'] = torch.cuda.max_memory_reserved() / GIB
    yield {f'{name}_{key}': value for key, value in values.items()}
    if not place.on_gpu:
        print(f'{name}_gib, _reserved_gib{", _busy and what else the profiler sees" if profile else ""}: needs a GPU',
              flush=True)
    elif profile:
        batches = fresh()
        seen = profiled(lambda: iterate(*batches))
        seen['busy'] = seen['busy_seconds'] / seconds
        yield {f'{name}_{key}': value for key, value in seen.items()}
    if profile and place.tables:
        batches = fresh()
        tables(name, lambda: iterate(*batches), place.on_gpu, place.tables)


def over_plain(place, name):
    """Second-order DARTS over the same with the supernet written edge by edge."""
    from cell_spaces import batch, searches
    number, options = (2, dict(layers=3)) if place.small else (64, {})  # the head takes 16 x 16 channels
    seconds = {}
    for side, (model, optim_wrapper) in searches('darts', True, **options).items():
        model.to(place.device)
        train, val = batch(number), {'c10': batch(number)}

        def iterate(model=model, optim_wrapper=optim_wrapper, train=train, val=val):
            model.start_iteration(0)
            model.train_stage(model.stages[0], dict(train=train), optim_wrapper)
            model.update_architecture([val], optim_wrapper)
            model.step_weights(optim_wrapper)

        for _ in range(1 + place.warm):
            iterate()
        seconds[side] = statistics.median(place.seconds(iterate))
    yield dict(darts_second_order_seconds=seconds['fast'], darts_second_order_plain_seconds=seconds['plain'],
               darts_second_order_over_plain=seconds['fast'] / seconds['plain'])


class Gradient:
    """A's gradient of one small search, always at the same weights, batches and images of transfers.

    The images are those of the reference: random numbers of augmentations depend on the type of the images.


    Args:
        cfg (Config): of a small search, of ``paper_searches``.
    """

    def __init__(self, cfg):
        import torch
        from paper_searches import Data, build, differing
        self.cfg = differing(cfg)
        torch.manual_seed(1)
        data = Data(self.cfg, small=True)
        data.numbers = dict.fromkeys(data.numbers, 4)
        self.batches = data.iteration(build(self.cfg, 'exact'))
        self.views, self.threshold, self.active = {}, None, None
        self.reference = self('exact', torch.float64, 'cpu')  # whose images and threshold all others take

    def __call__(self, mode, dtype, device, tf32_weights=False, tf32_chain=False, amp=False):
        """[n_A], float64 on the host."""
        import torch
        from paper_searches import active_share, build, making_live, optimisers

        from imtnas_mm.precision import float32_products
        from imtnas_mm.random_state import Purpose
        model = build(self.cfg, mode, tf32=tf32_weights, amp=amp).to(device, dtype)
        optim_wrapper, plain = optimisers(self.cfg, model), model.transfer_views

        def views(record):
            index = record.stage.index
            if index not in self.views:
                self.views[index] = plain(record)
            return self.views[index].to(device, dtype)

        model.transfer_views = views
        batches = copy.deepcopy(self.batches)  # preprocessing moves samples in place

        def stages():
            model.start_iteration(0)
            for stage, batch in zip(model.stages, batches.stages, strict=True):
                model.train_stage(stage, batch, optim_wrapper)

        if self.threshold is None:
            with making_live(model):
                stages()
            self.threshold = model.transfer.threshold
        model.transfer.threshold = self.threshold
        stages()
        with float32_products(tf32_chain):
            data = {task: model.preprocess(task, batch, Purpose.VALIDATION, i)
                    for i, (task, batch) in enumerate(batches.architecture[0].items())}
            gradient, _ = model.architecture_gradient([data])
        self.active = active_share(model)
        return torch.cat([part.detach().flatten().double().cpu() for part in gradient.values()])

    def error(self, gradient):
        return ((gradient - self.reference).norm() / self.reference.norm()).item()


def exactness(place, name):
    """This device against a CPU, and float32 against float64."""
    import torch
    from paper_searches import tiny
    cfg = tiny('darts')
    cfg.model.search_space.stem_stride = 2  # float64 is slow on CPUs
    gradient = Gradient(cfg)
    if place.on_gpu:
        yield dict(gradient_error_exact=gradient.error(gradient('exact', torch.float64, place.device)))
    else:
        again = gradient.error(gradient('exact', torch.float64, 'cpu'))
        print(f'gradient_error_exact: needs a GPU; this CPU again: {again:.4g}', flush=True)
    direct = gradient('first_order', torch.float64, place.device)
    yield dict(gradient_chain_share=gradient.error(direct), gradient_active=gradient.active)
    for key, mode in (('gradient', 'exact'), ('difference', 'finite_difference')):
        for setting, options in dict(fp32={}, amp=dict(amp=True)).items():
            yield {f'{key}_error_{setting}': gradient.error(gradient(mode, torch.float32, place.device, **options))}
    for key, mode, part in (
            ('gradient', 'exact', 'weights'), ('gradient', 'exact', 'chain'),
            ('difference', 'finite_difference', 'weights'), ('difference', 'finite_difference', 'chain')):
        error = gradient.error(gradient(mode, torch.float32, place.device, **{f'tf32_{part}': True}))
        if place.on_gpu:
            yield {f'{key}_error_tf32_{part}': error}
        else:
            print(f'{key}_error_tf32_{part}: needs a GPU', flush=True)


def of_search(config_name, mode='exact', **options):
    """A part that measures a search, whose figures have the part's name."""
    return lambda place, name: search(place, name, config_name, mode, **options)


class Part(NamedTuple):
    """
    Args:
        function: (place, name) -> generator of dicts of figures.
        quick (bool): whether --quick takes it.
        may_be_large (bool): whether it may not fit a GPU, which is told and no failure.
    """
    function: Callable
    quick: bool = False
    may_be_large: bool = False


PARTS = dict(
    pcdarts_exact=Part(of_search('pcdarts', recompute='none'), quick=True),
    cls_det_exact=Part(of_search('cls_det', recompute='none'), quick=True),
    darts_first_order=Part(of_search('darts', 'first_order', recompute='none'), quick=True),
    darts_exact=Part(of_search('darts', recompute='views'), quick=True),
    cls_det_224_exact=Part(of_search('cls_det', pixels=224, recompute='views'), quick=True),
    over_plain=Part(over_plain, quick=True),
    exactness=Part(exactness, quick=True),
    pcdarts_exact_replay=Part(of_search('pcdarts', recompute='none', replay=True), quick=True),
    darts_first_order_replay=Part(of_search('darts', 'first_order', recompute='none', replay=True), quick=True),
    darts_exact_replay=Part(of_search('darts', recompute='views', replay=True)),
    pcdarts_exact_default=Part(of_search('pcdarts', recompute='none', live=False, profile=False)),
    cls_det_exact_default=Part(of_search('cls_det', recompute='none', live=False, profile=False)),
    pcdarts_exact_amp=Part(of_search('pcdarts', recompute='none', profile=False, amp=True)),
    cls_det_exact_amp=Part(of_search('cls_det', recompute='none', profile=False, amp=True)),
    pcdarts_exact_tf32=Part(of_search('pcdarts', recompute='none', profile=False, tf32=True)),
    pcdarts_exact_views=Part(of_search('pcdarts', recompute='views', profile=False)),
    cls_det_exact_all=Part(of_search('cls_det', recompute='all', profile=False)),
    darts_exact_none=Part(of_search('darts', recompute='none', profile=False), may_be_large=True),
    cls_det_224_exact_none=Part(of_search('cls_det', pixels=224, recompute='none', profile=False), may_be_large=True))


def run(names, place, figures):
    """list[str]: the parts that failed."""
    import torch
    failed, begun = [], time.perf_counter()
    for name in names:
        part = PARTS[name]
        if place.on_gpu and time.perf_counter() - begun > LIMIT:
            print(f'{name}: no time is left', file=sys.stderr, flush=True)
            failed.append(name)
            continue
        start = time.perf_counter()
        try:
            for part_figures in part.function(place, name):
                figures.add(part_figures)
        except torch.OutOfMemoryError as error:
            print(f'{name}: it does not fit this GPU: {error}', file=sys.stderr, flush=True)
            if not part.may_be_large:
                failed.append(name)
        except Exception:
            traceback.print_exc()
            failed.append(name)
        gc.collect()
        if place.on_gpu:
            torch.cuda.empty_cache()
        print(f'# {name}: {time.perf_counter() - start:.1f} s', file=sys.stderr, flush=True)
    return failed


def main(argv=None):
    sys.path.insert(0, HERE)
    from figures import arguments
    from paper_searches import imports
    parser = arguments(__doc__)
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--cpu', action='store_true')
    parser.add_argument('--only', nargs='+', choices=PARTS, help='these parts alone')
    parser.add_argument('--tables', metavar='FILE', help='append tables of operators and kernels to it')
    args = parser.parse_args(argv)
    import torch
    on_gpu = torch.cuda.is_available() and not args.cpu
    if on_gpu:
        print(f'# {torch.cuda.get_device_name()}, torch {torch.__version__}', file=sys.stderr, flush=True)
    else:
        print('# On the CPU, at small sizes: figures show that the parts run, and nothing of a GPU.', file=sys.stderr)
        torch.set_num_threads(1)
    logging.disable(logging.WARNING)  # what heads say of their initialisation
    imports()
    names = args.only or [name for name, part in PARTS.items() if part.quick or not args.quick]
    place = Place('cuda' if on_gpu else 'cpu', not on_gpu, 1 if args.quick or not on_gpu else REPEATS, args.tables)
    failed = run(names, place, Figures(args.out))
    if failed:
        print(f'failed: {", ".join(failed)}', file=sys.stderr)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
