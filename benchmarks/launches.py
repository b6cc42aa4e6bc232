"""Counts the operations of one iteration of a search, and the reads for which the host waits.

python benchmarks/launches.py [--out FILE] [--details] [--only CONFIG]

The paper's configs run one iteration after two others, with their method, rounds and tasks, but with few channels,
small images and few augmentation sets: neither the operations nor the reads depend on these. A transfer's threshold is
set so that every stage has active pairs, and A's gradient takes its second pass through all stages. The iteration is
the loop's own, with its checks and logged figures, on batches that are made before.

`<config>_<mode>_operations` counts the operators that compute or copy on a CPU, `_active` the share of transfers that
were active. A GPU runs other operators (its convolutions are not ours), and only there can the host wait. Without a GPU
the tests' pretended CUDA device replaces it. `_gpu_operations` counts the operators that compute there, each of which
launches at least one kernel; `_gpu_replayed_operations` those with `model.replay=True`, where a replay counts as one;
`_host_reads` the reads for which the host waits; `_uploads` the copies to the device. On a real GPU `_launches` and
`_replayed_launches` count kernels and graphs. --details prints operators and reads by name, and on a GPU the lines
where the host waits.
"""
import logging
import os
import sys
import warnings
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
MODES = ('exact', 'first_order')


def prepared(name, mode, device, recorder=None):
    """(model, function that runs the loop's next iteration), after two iterations: what is made once is made.

    With a ``recorder`` (of ``imtnas_mm.replay``), what can be replayed is.
    """
    import torch
    from paper_searches import Data, build, config, differing, loop, making_live
    cfg = differing(config(name, small=True))
    model = build(cfg, mode, **(dict(replay=True) if recorder else {})).to(device)
    if recorder:
        model.recordings.recorder = recorder
    data = Data(cfg, small=True)
    run = loop(cfg, model, data)
    torch.manual_seed(0)
    batches = [data.iteration(model) for _ in range(5)]
    with making_live(model):
        run(batches.pop())
    run(batches.pop())
    return model, lambda: run(batches.pop())


def on_cpu(name, mode, details):
    from counting import OperationCounter
    from paper_searches import active_share
    model, run = prepared(name, mode, 'cpu')
    with OperationCounter() as counter:
        run()
    if details:
        print(f'# {name} {mode}: {counter.by_name.most_common(40)}', file=sys.stderr)
    return dict(operations=counter.operations, active=active_share(model))


def recorder_on(device):
    """A recorder whose replay counts as what the host launches for one: a copy of all inputs, the replay, and a copy of
    each output."""

    from imtnas_mm.transport import tensors_of

    class Uncounted:
        device = 'cuda'

        def __init__(self, function, tensors):
            self.function = function

        def __call__(self, tensors):
            before = device.operations.copy(), device.reads.copy(), device.uploads.copy()
            result = self.function([x.detach() for x in tensors])
            device.operations, device.reads, device.uploads = before
            device.operations['replayed'] += 2 + sum(1 for _ in tensors_of(result))
            return result

    return Uncounted


def on_pretended(name, mode, details):
    sys.path.insert(0, os.path.join(HERE, os.pardir, 'tests'))
    from helpers.pretend_cuda import pretended_cuda
    figures = {}
    for kind in ('', 'replayed_'):
        with pretended_cuda() as device:
            _, run = prepared(name, mode, 'cuda', recorder_on(device) if kind else None)
            for counts in (device.operations, device.reads, device.uploads):
                counts.clear()
            run()
            counts = [dict(c.most_common(40)) for c in (device.operations, device.reads, device.uploads)]
            figures[f'gpu_{kind}operations'] = sum(device.operations.values())
            if not kind:
                figures.update(host_reads=sum(device.reads.values()), uploads=sum(device.uploads.values()))
        if details:
            print(f'# {name} {mode} on a GPU {kind}: {counts[0]}\n# reads: {counts[1]}\n# uploads: {counts[2]}',
                  file=sys.stderr)
    return figures


LAUNCHES = ('cudaLaunchKernel', 'cudaLaunchKernelExC', 'cuLaunchKernel', 'cuLaunchKernelEx', 'cudaGraphLaunch')


def launches(run):
    import torch
    from torch.profiler import ProfilerActivity, profile
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        run()
        torch.cuda.synchronize()
    return sum(event.count for event in profiler.key_averages() if event.key in LAUNCHES)


def waits(run):
    """Counter of the lines of Python in which the host waited for the GPU, as PyTorch warns of it."""
    import torch
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        torch.cuda.set_sync_debug_mode('warn')
        try:
            run()
        finally:
            torch.cuda.set_sync_debug_mode('default')
    return Counter(f'{os.path.relpath(w.filename)}:{w.lineno}' for w in caught if 'synchroniz' in str(w.message))


def on_gpu(name, mode, details):
    from counting import OperationCounter

    from imtnas_mm.replay import CudaGraph
    _, run = prepared(name, mode, 'cuda')
    with OperationCounter() as counter:
        run()
    if details:
        print(f'# {name} {mode}, where the host waits: {dict(waits(run))}', file=sys.stderr)
        print(f'# {name} {mode} on a GPU: {counter.by_name.most_common(40)}\n# reads: {dict(counter.reads)}',
              file=sys.stderr)
    return dict(gpu_operations=counter.operations, host_reads=sum(counter.reads.values()) + counter.to_host,
                uploads=counter.to_device, launches=launches(run),
                replayed_launches=launches(prepared(name, mode, 'cuda', CudaGraph)[1]))


def main():
    sys.path.insert(0, HERE)
    from figures import arguments, report
    from paper_searches import CONFIGS, imports
    parser = arguments(__doc__)
    parser.add_argument('--details', action='store_true', help='print the operators by name')
    parser.add_argument('--only', choices=CONFIGS, help='one config alone')
    args = parser.parse_args()
    import torch
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)  # what heads say of their initialisation
    imports()
    figures = {}
    for name in [args.only] if args.only else CONFIGS:
        for mode in MODES:
            for count in (on_cpu, on_gpu if torch.cuda.is_available() else on_pretended):
                counted = count(name, mode, args.details)
                figures.update({f'{name}_{mode}_{key}': value for key, value in counted.items()})
    report(figures, args.out)


if __name__ == '__main__':
    main()
