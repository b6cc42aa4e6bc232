"""Measures memory and time of the exact hypergradient; ratios of one run.

python benchmarks/hypergradient.py [--out FILE] [--quick]

Every measurement is of a search over classification and detection (MBConv space,
32x32 images, 12 x 12 augmentation sets) in a separate process, on one thread.

Time is the process's CPU time, on which other work on the machine has little
influence. The fastest of a few iterations counts. The first isn't counted: once
per search it also looks for operators without a second derivative.

Memory is the peak of resident memory in a first iteration over what it was
before the search was built. That process gives freed memory back to the system
at once and is two or three times slower, so time is measured in other processes.

The share of active pairs is set by moving the teacher's statistics.

--quick takes smaller sets; its figures are not for the record.
"""
import json
import os
import statistics
import sys
import time

REPEATS = 2  # iterations that are timed; the fastest counts
SPACE = dict(layout='fairnas19', width_mult=.25, stem_stride=2, strides=(1, 2, 1, 1, 2, 1), estimator='two_path')
BATCH_NORM = dict(type='BN', affine=False, track_running_stats=False)
GROUP_NORM = dict(type='GN', num_groups=4)


def measure(**task):
    """Runs one measurement in a fresh process and returns its figures."""
    from figures import measured
    return measured(__file__, task, memory=task.get('memory', False))


# --- in the process of one measurement ---


def resident(key):
    """MB; VmRSS now or VmHWM, the peak since the last :func:`forget_peak`."""
    with open('/proc/self/status') as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(key))


def forget_peak():
    with open('/proc/self/clear_refs', 'w') as file:
        file.write('5')


def build(rounds, mode, weights, active, norm, order, num):
    import torch
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData
    from mmpretrain.structures import DataSample

    from imtnas_mm.engine.optim import SearchOptimWrapperConstructor
    from imtnas_mm.registry import MODELS
    from imtnas_mm.transfer import MMDTransfer
    from imtnas_mm.transfer.mmd import pairs_of

    class ShiftedTransfer(MMDTransfer):
        """Statistics moved so that the wanted share of pairs violates Eq. 4, at the same cost."""

        def teacher_side(self, teacher, views):
            sets = len(views) // self.num_augmentations
            if sets == num:  # pairs at random; a second pass may come with the sets of violated ones alone
                pairs = torch.rand(num, num, generator=torch.Generator().manual_seed(0)).triu(1)
                number = round(num * (num - 1) / 2 * dict(all=1, typical=.03, none=0)[active])
                chosen = pairs.flatten().argsort(descending=True)[:number]
                self.violated = torch.zeros(num * num, dtype=torch.bool).index_fill(0, chosen, True).view(num, num)
                self.kept = self.violated.nonzero().flatten().unique()
                violated = self.violated
            else:
                violated = self.violated[self.kept][:, self.kept]
            return self.statistics(teacher, views) - 2000 * pairs_of(violated)

        def statistics(self, encoder, views):
            return super().statistics(encoder, views) + 1000  # above the threshold

    MODELS.register_module(module=ShiftedTransfer, name='ShiftedTransfer', force=True)
    tasks = dict(
        cls=dict(
            type='ClassificationTask',
            model=dict(
                type='ImageClassifier',
                data_preprocessor=dict(num_classes=10, mean=[120.] * 3, std=[60.] * 3),
                head=dict(type='imtnas_mm.ImageNetHead', num_classes=10, in_channels=80, hidden_channels=128,
                          norm_cfg=norm))),
        det=dict(
            type='DetectionTask',
            backbone=dict(out_indices=(1, 3, 5)),
            model=dict(
                type='RetinaNet',
                data_preprocessor=dict(type='DetDataPreprocessor', mean=[120.] * 3, std=[60.] * 3),
                neck=dict(type='FPN', in_channels=[16, 24, 80], out_channels=32, num_outs=3),
                bbox_head=dict(
                    type='RetinaHead', num_classes=10, in_channels=32, stacked_convs=1, feat_channels=32,
                    anchor_generator=dict(type='AnchorGenerator', octave_base_scale=4, scales_per_octave=1,
                                          ratios=[1.], strides=[4, 4, 8]),
                    bbox_coder=dict(type='DeltaXYWHBBoxCoder')),
                train_cfg=dict(assigner=dict(type='MaxIoUAssigner', pos_iou_thr=.5, neg_iou_thr=.4, min_pos_iou=0),
                               sampler=dict(type='PseudoSampler'), allowed_border=-1, pos_weight=-1))))
    model = MODELS.build(
        dict(type='imtnas_mm.IMTNAS', search_space=dict(SPACE, type='MBConvSupernet', norm_cfg=norm),
             tasks={name: tasks[name] for name in order}, rounds=rounds, order=order, hypergradient=mode,
             encoder_weights=dict(type=weights),
             # of 'scaled', T doesn't depend on sets without an active pair
             transfer=dict(type='ShiftedTransfer', num_examples=num, num_augmentations=num, image_size=32,
                           statistic='scaled')))
    optim_wrapper = SearchOptimWrapperConstructor(
        dict(encoder=dict(optimizer=dict(type='SGD', lr=.001, momentum=.9)),
             head=dict(optimizer=dict(type='SGD', lr=.001, momentum=.9)),
             architecture=dict(optimizer=dict(type='Adam', lr=5e-4))))(model)

    def images(number, size=32):
        return [torch.randint(0, 256, (3, size, size), dtype=torch.uint8) for _ in range(number)]

    def batch(name):
        if name == 'cls':
            return dict(inputs=images(64), data_samples=[DataSample().set_gt_label(i % 10) for i in range(64)])
        samples = []
        for _ in range(8):
            sample = DetDataSample(metainfo=dict(img_shape=(64, 64)))
            sample.gt_instances = InstanceData(bboxes=torch.tensor([[5.3, 6.1, 30.7, 33.]]), labels=torch.tensor([3]))
            samples.append(sample)
        return dict(inputs=images(8, 64), data_samples=samples)

    return model, optim_wrapper, batch, images


def iteration(model, optim_wrapper, batch, images, index, num):
    model.start_iteration(index)
    for stage in model.stages:
        model.train_stage(stage, dict(train=batch(stage.task), examples=(images(num // 2), images(num // 2))),
                          optim_wrapper)
    model.update_architecture([{name: batch(name) for name in model.order}], optim_wrapper)
    model.step_weights(optim_wrapper)


def whole_graph(model, optim_wrapper, batch, images, num):
    """The same gradient with the whole chain in one graph, from the tests' oracle."""
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), os.pardir, 'tests'))
    from helpers.whole_graph import whole_graph_gradient
    from imtnas_mm.algorithms.stages.record import StageRecord
    model.start_iteration(0)
    prepared = []
    for stage in model.stages:
        views = None
        if stage.index:
            examples = model.transfer_examples(
                stage, model.stages[stage.index - 1], (images(num // 2), images(num // 2)))
            views = model.transfer_views(StageRecord(stage, {}, None, {}, examples=examples))
        prepared.append((model.tasks[stage.task].preprocess(batch(stage.task), True), views))
    val = {name: model.tasks[name].preprocess(batch(name), True) for name in model.order}
    whole_graph_gradient(model, prepared, val, (.001, .001))


def run(rounds=2, mode='exact', weights='HyperNetwork', active='all', norm='BN', order=('cls', 'det'), num=12,
        memory=False):
    """One iteration's peak of memory, or the time of one after the first."""
    import torch
    torch.set_num_threads(1)
    torch.manual_seed(0)
    import imtnas_mm.engine  # noqa: F401
    base = resident('VmRSS')
    model, optim_wrapper, batch, images = build(
        rounds, 'exact' if mode == 'whole_graph' else mode, weights, active, BATCH_NORM if norm == 'BN' else GROUP_NORM,
        tuple(order), num)
    forget_peak()
    if mode == 'whole_graph':
        whole_graph(model, optim_wrapper, batch, images, num)
        return dict(memory=resident('VmHWM') - base)
    times = []
    for index in range(1 if memory else 1 + REPEATS):
        start = time.process_time()
        iteration(model, optim_wrapper, batch, images, index, num)
        times.append(time.process_time() - start)
    kept = sum(t.numel() * t.element_size() for t in model.state_dict().values())
    for name in ('encoder', 'head', 'architecture'):
        for state in optim_wrapper[name].optimizer.state.values():
            kept += sum(t.numel() * t.element_size() for t in state.values() if torch.is_tensor(t))
    active = [float(r.figures['transfer_active']) for r in model.records if 'transfer_active' in r.figures]
    figures = dict(state=kept / 2**20, active=statistics.mean(active) if active else 0.)
    return dict(figures, memory=resident('VmHWM') - base) if memory else dict(figures, time=min(times[1:]))


def generation(num):
    """Seconds of a generation with its pullback, and of a forward and backward of a supernet, FairNAS-19 at 224."""
    import torch
    torch.set_num_threads(1)
    from imtnas_mm.encoders import HyperNetwork, ParameterLayout
    from imtnas_mm.spaces import MBConvSupernet
    space = MBConvSupernet(estimator='two_path')
    layout = ParameterLayout.of(space)
    network = HyperNetwork(layout, 2, 3, 127)
    importance = torch.full((127, ), 1 / 7)
    alphas = {n: torch.zeros(s) for n, s in space.alpha_shapes().items()}
    gates = space.gate_tensors(alphas, space.draw(alphas, torch.Generator().manual_seed(0)))
    images = torch.rand(num, 3, 224, 224)
    first, second = [], []
    for _ in range(3):
        start = time.process_time()
        weights = network.generate(0, 0, importance)
        torch.autograd.grad(weights, list(network.parameters()), torch.ones_like(weights), allow_unused=True)
        first.append(time.process_time() - start)
        start = time.process_time()
        leaf = weights.detach().requires_grad_()
        output, = torch.func.functional_call(space, {**layout.named(leaf), **gates}, (images, ))
        output.square().mean().backward()
        second.append(time.process_time() - start)
    return dict(generation=statistics.median(first), supernet=statistics.median(second))


def main():
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from figures import arguments, report
    parser = arguments(__doc__)
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--task', help='used by the benchmark itself')
    args = parser.parse_args()
    if args.task:
        task = json.loads(args.task)
        print(json.dumps(generation(**task['generation']) if 'generation' in task else run(**task)))
        return
    size = dict(num=8) if args.quick else dict(num=12)
    times = {}
    for active in ('all', 'typical', 'none'):
        for mode in ('first_order', 'exact'):
            times[active, mode] = measure(mode=mode, active=active, **size)
    for mode in ('first_order', 'exact'):
        times['group_norm', mode] = measure(mode=mode, active='typical', norm='GN', **size)
    hyper = times['all', 'exact']
    stored = measure(weights='StoredWeights', **size)
    made = measure(generation=dict(num=4 if args.quick else 64))

    rounds = (1, 2, 4, 8)
    size.update(memory=True)
    memory = {m: measure(rounds=m, **size)['memory'] for m in rounds}
    stored_memory = measure(weights='StoredWeights', **size)['memory']
    single_memory = measure(rounds=1, order=['cls'], weights='StoredWeights', **size)['memory']
    # 6 x 6 sets: the graph of 8 rounds at 12 x 12 doesn't fit a machine of 24 GB
    size.update(num=6)
    whole = {m: measure(rounds=m, mode='whole_graph', **size)['memory'] for m in rounds}
    memory_there = {m: measure(rounds=m, **size)['memory'] for m in (1, 8)}

    def ratio(active):
        return times[active, 'exact']['time'] / times[active, 'first_order']['time']

    figures = {f'{mode}_seconds_{active}': value['time'] for (active, mode), value in times.items()}
    figures.update(stored_seconds=stored['time'], state_mb=hyper['state'], stored_state_mb=stored['state'],
                   stored_memory_mb=stored_memory, single_task_memory_mb=single_memory,
                   generation_seconds=made['generation'], supernet_seconds=made['supernet'])
    figures.update({f'memory_mb_m{m}': memory[m] for m in rounds})
    figures.update({f'whole_graph_memory_mb_6x6_m{m}': value for m, value in whole.items()})
    figures.update({f'memory_mb_6x6_m{m}': value for m, value in memory_there.items()})
    figures.update(
        memory_m8_over_m1=memory[8] / memory[1],
        whole_graph_memory_m8_over_m1=whole[8] / whole[1],
        exact_over_first_order_all=ratio('all'),
        exact_over_first_order_typical=ratio('typical'),
        exact_over_first_order_typical_group_norm=ratio('group_norm'),
        exact_over_first_order_none=ratio('none'),
        hypernetwork_over_stored_state=hyper['state'] / stored['state'],
        hypernetwork_over_stored_memory=memory[2] / stored_memory,
        hypernetwork_over_stored_time=hyper['time'] / stored['time'],
        hypernetwork_over_single_task_memory=memory[2] / single_memory,
        generation_over_supernet=made['generation'] / made['supernet'])
    report(figures, args.out)


if __name__ == '__main__':
    main()
