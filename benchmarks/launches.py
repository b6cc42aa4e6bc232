"""What one iteration of a search asks of its device: operations, and reads that the host waits for.

python benchmarks/launches.py [--out FILE] [--details]

The paper's configs run one iteration after a first one, with their method, rounds and tasks, but with few channels,
small images and few augmentation sets: neither the operations nor the reads depend on these. A transfer's threshold is
put at the median of its statistics, so that every stage has pairs that its hinge is active for, and A's gradient takes
its second pass through all stages. The iteration is the loop's own, with its checks and what it logs.

`<config>_<mode>_operations` counts the operators that compute or copy, `_host_reads` the numbers and shapes that the
host waits for, `_active` the share of transfers that were active; `_launches`, `_to_host` and `_to_device` are there
where there is a GPU. --details prints the operators by name.
"""
import logging
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MODES = ('exact', 'first_order')


def count(name, mode, device, details):
    import torch
    from counting import OperationCounter
    from paper_searches import Data, active_share, at_the_median, build, config, differing, loop
    cfg = differing(config(name, small=True))
    model = build(cfg, mode).to(device)
    iterate = loop(cfg, model, Data(cfg, small=True))
    with at_the_median(model):
        iterate()
    iterate()  # what is made once is made
    with OperationCounter() as counter:
        iterate()
    if details:
        print(f'# {name} {mode}: {counter.by_name.most_common(40)}\n# reads: {dict(counter.reads)}', file=sys.stderr)
    figures = dict(operations=counter.operations, host_reads=sum(counter.reads.values()) + counter.to_host,
                   active=active_share(model))
    if device == 'cuda':
        from torch.profiler import ProfilerActivity, profile
        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
            iterate()
            torch.cuda.synchronize()
        launches = sum(event.count for event in profiler.key_averages()
                       if event.key in ('cudaLaunchKernel', 'cudaLaunchKernelExC', 'cuLaunchKernel', 'cuLaunchKernelEx',
                                        'cudaGraphLaunch'))
        figures.update(launches=launches, to_host=counter.to_host, to_device=counter.to_device)
    return {f'{name}_{mode}_{key}': value for key, value in figures.items()}


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
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    figures = {}
    for name in [args.only] if args.only else CONFIGS:
        for mode in MODES:
            figures.update(count(name, mode, device, args.details))
    report(figures, args.out)


if __name__ == '__main__':
    main()
