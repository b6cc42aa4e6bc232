"""What one iteration of a search asks of its device: operations, and reads that the host waits for.

python benchmarks/launches.py [--out FILE] [--details]

The paper's configs run one iteration after a first one, with their method, rounds, tasks and number of augmentation
sets, but with few channels and small images: neither the operations nor the reads depend on these. A transfer's
threshold is put at the median of its statistics, so that every stage has pairs that its hinge is active for, and A's
gradient takes its second pass through all stages. The iteration is the loop's own, with its checks and what it logs.

`<config>_<mode>_operations` counts the operators that compute or copy, `_host_reads` the numbers and shapes that the
host waits for, `_active` the share of transfers that were active; `_launches`, `_to_host` and `_to_device` are there
where there is a GPU. --details prints the operators by name.
"""
import logging
import os
import sys
from types import SimpleNamespace

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIGS = dict(
    pcdarts=('imtnas_cifar_pcdarts.py', dict(channels=8)),
    darts=('imtnas_cifar_darts.py', dict(channels=4)),
    cls_det=('imtnas_cls_det.py', dict(width_mult=.25)))
MODES = ('exact', 'first_order')


def small(name):
    """A config of the paper with few channels: (Config, device-independent sizes of its images)."""
    from mmengine.config import Config
    file, options = CONFIGS[name]
    cfg = Config.fromfile(os.path.join(HERE, os.pardir, 'configs', file))
    cfg.model.search_space.update(options)
    cfg.model.transfer.update(num_examples=4, num_augmentations=4, image_size=32)
    cfg.model.encoder_weights.stage_std = 1.  # encoders that differ, so that every transfer is active
    tasks = cfg.model.tasks
    if name == 'cls_det':
        tasks.cls.model.head.update(in_channels=80, hidden_channels=64)
        tasks.det.model.neck.update(in_channels=[16, 24, 80], out_channels=32)
        tasks.det.model.bbox_head.update(in_channels=32, feat_channels=32)
    else:
        for task in tasks.values():
            task.model.head.in_channels = 16 * options['channels']
    return cfg


def images(number, size):
    import torch
    return [torch.randint(0, 256, (3, size, size), dtype=torch.uint8) for _ in range(number)]


def batch(task, number=8):
    """A raw batch, as a loader gives it."""
    import torch
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData
    from mmpretrain.structures import DataSample
    if task != 'det':
        return dict(inputs=images(number, 32), data_samples=[DataSample().set_gt_label(i % 10) for i in range(number)])
    samples = []
    for i in range(2):
        sample = DetDataSample(metainfo=dict(img_shape=(128, 128), ori_shape=(128, 128), scale_factor=(1., 1.),
                                             img_id=i))
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor([[5.3, 6.1, 60.7, 73.], [41.2, 20., 99.9, 70.5]]), labels=torch.tensor([3, 1]))
        samples.append(sample)
    return dict(inputs=images(2, 128), data_samples=samples)


def batches_of(model):
    from imtnas_mm.engine.search_loop import IterationBatches
    half = model.transfer.num_examples // 2
    found = IterationBatches()
    for stage in model.stages:
        one = dict(train=batch(stage.task))
        if stage.index:
            one['examples'] = images(half, 32), images(half, 32)
        found.stages.append(one)
    found.architecture = {name: batch(name) for name in model.order}
    return found


def search(name, mode, device):
    """(model, function that runs the loop's next iteration)."""
    import torch
    from mmengine.logging import MessageHub

    from imtnas_mm.engine.non_finite import IterationGuard
    from imtnas_mm.engine.optim import SearchOptimWrapperConstructor
    from imtnas_mm.engine.search_loop import InterleavedSearchLoop
    from imtnas_mm.registry import MODELS
    cfg = small(name)
    torch.manual_seed(0)
    model = MODELS.build(dict(
        cfg.model, type=f'imtnas_mm.{cfg.model.type}', hypergradient=mode, rounds=cfg.train_cfg.rounds,
        order=tuple(cfg.train_cfg.order))).to(device)
    parts = {key: value for key, value in cfg.optim_wrapper.items() if key != 'constructor'}
    optim_wrapper = SearchOptimWrapperConstructor(parts)(model)
    hub = MessageHub.get_instance(f'launches_{name}_{mode}')

    def call_hook(name, outputs=None, **_):
        for key, value in (outputs or {}).items():  # as mmengine's RuntimeInfoHook does
            hub.update_scalar(f'train/{key}', value)

    loop = InterleavedSearchLoop.__new__(InterleavedSearchLoop)
    loop._runner = SimpleNamespace(model=model, optim_wrapper=optim_wrapper, call_hook=call_hook, iter=0,
                                   message_hub=hub)
    loop._epoch, loop._max_epochs, loop._iter, loop._max_iters = 20, 50, 200, 500
    loop.warmup_epochs = 0
    loop.guard = IterationGuard('stop')

    def iterate():
        batches = batches_of(model)
        loop.dataloader = SimpleNamespace(next=lambda *_: batches)
        with torch.random.fork_rng([]):
            loop.run_iter(0)
        loop._iter += 1

    return model, iterate


def at_the_median(model):
    """Puts the threshold at the median of the statistics of an iteration that runs inside."""
    from contextlib import contextmanager
    from unittest import mock

    @contextmanager
    def watching():
        seen, plain = [], model.transfer.statistics
        with mock.patch.object(model.transfer, 'statistics', lambda *args: seen.append(plain(*args)) or seen[-1]):
            yield
        import torch
        model.transfer.threshold = torch.cat([values.detach() for values in seen]).median().item()

    return watching()


def count(name, mode, device, details):
    import torch
    from counting import OperationCounter
    model, iterate = search(name, mode, device)
    with at_the_median(model):
        iterate()
    iterate()  # what is made once is made
    with OperationCounter() as counter:
        iterate()
    if details:
        print(f'# {name} {mode}: {counter.by_name.most_common(40)}\n# reads: {dict(counter.reads)}', file=sys.stderr)
    figures = dict(operations=counter.operations, host_reads=sum(counter.reads.values()) + counter.to_host,
                   active=sum(bool(record.active) for record in model.records[1:]) / (len(model.records) - 1))
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
    parser = arguments(__doc__)
    parser.add_argument('--details', action='store_true', help='print the operators by name')
    parser.add_argument('--only', choices=CONFIGS, help='one config alone')
    args = parser.parse_args()
    import torch
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)  # what heads say of their initialisation
    import imtnas_mm.engine
    import imtnas_mm.networks
    import imtnas_mm.spaces  # noqa: F401
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    figures = {}
    for name in [args.only] if args.only else CONFIGS:
        for mode in MODES:
            figures.update(count(name, mode, device, args.details))
    report(figures, args.out)


if __name__ == '__main__':
    main()
