"""Compares an iteration on the cell spaces with supernets written edge by edge; ratios of one run.

python benchmarks/cell_spaces.py [--out FILE] [--quick]

Both sides run the same algorithm (IMTNAS with one task, one round, stored
weights and DARTS's virtual step is DARTS) on the same alphas, weights and
batches, C = 16, 8 cells, 32x32 images, one thread. The plain supernets are the
tests' oracle, which the fast ones equal to 1e-10 in float64. Time is the
process's CPU time: the two take turns, and the fastest iteration of each
counts. Memory is the peak of an iteration over what the process held before,
each in a separate process.

Transfer: two tasks, two rounds, batch 64, 20 x 20 augmented images, first-order, on the PC-DARTS space: the graph of
400 images of the DARTS one doesn't fit a machine of 24 GB.

--quick takes one repetition and smaller transfer sets; its figures are not for the record.
"""
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REPEATS = 3
FAST = dict(darts='DARTSSupernet', pcdarts='PCDARTSSupernet', prdarts='PRDARTSSupernet')


def register_plain():
    """The plain supernets as search spaces; dict of space -> config."""
    sys.path.insert(0, os.path.join(HERE, os.pardir, 'tests'))
    from helpers.plain_cells import PlainSupernet
    from imtnas_mm.registry import MODELS
    from imtnas_mm.spaces import PRDARTSSupernet

    class PlainPRDARTS(PlainSupernet):
        """Two operations per edge, drawn by the rule of the fast supernet."""

        def __init__(self, **options):
            super().__init__(last_norm=True, **options)
            object.__setattr__(self, 'rule', PRDARTSSupernet(channels=2, layers=3))

        def importance(self, alphas):
            return self.rule.importance(alphas)

        def draw(self, alphas, generator):
            return self.rule.draw(alphas, generator)

        def gate_tensors(self, alphas, draw):
            return self.rule.gate_tensors(alphas, draw)

    for cls in (PlainSupernet, PlainPRDARTS):
        MODELS.register_module(module=cls, force=True)
    return dict(darts=dict(type='PlainSupernet'), pcdarts=dict(type='PlainSupernet', part=4),
                prdarts=dict(type='PlainPRDARTS'))


def classifier():
    return dict(
        type='ClassificationTask',
        model=dict(
            type='ImageClassifier',
            data_preprocessor=dict(num_classes=10, mean=[120.] * 3, std=[60.] * 3),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=10, in_channels=256,
                      loss=dict(type='CrossEntropyLoss', loss_weight=1.))))


def build(space, order=('c10', ), **options):
    import torch

    from imtnas_mm.engine.optim import SearchOptimWrapperConstructor
    from imtnas_mm.registry import MODELS
    torch.manual_seed(0)
    model = MODELS.build(
        dict(type='imtnas_mm.IMTNAS', search_space=space, tasks={name: classifier() for name in order}, order=order,
             **options))
    sgd = dict(optimizer=dict(type='SGD', lr=.025, momentum=.9, weight_decay=3e-4))
    optim_wrapper = SearchOptimWrapperConstructor(
        dict(encoder=sgd, head=sgd, architecture=dict(optimizer=dict(type='Adam', lr=3e-4))))(model)
    return model, optim_wrapper


def images(number):
    import torch
    return [torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8) for _ in range(number)]


def batch(number):
    from mmpretrain.structures import DataSample
    return dict(inputs=images(number), data_samples=[DataSample().set_gt_label(i % 10) for i in range(number)])


def iteration(model, optim_wrapper, number, index=0):
    """CPU seconds."""
    batches = []
    for stage in model.stages:
        batches.append(dict(train=batch(number)))
        if stage.index and model.transfer is not None:
            half = model.transfer.num_examples // 2
            batches[-1]['examples'] = images(half), images(half)
    val = {name: batch(number) for name in model.order}
    start = time.process_time()
    model.start_iteration(index)
    for stage, data in zip(model.stages, batches, strict=True):
        model.train_stage(stage, data, optim_wrapper)
    model.update_architecture([val], optim_wrapper)
    model.step_weights(optim_wrapper)
    return time.process_time() - start


def searches(space, second_order, sides=('fast', 'plain'), **space_options):
    options = dict(rounds=1, encoder_weights=dict(type='StoredWeights'))
    if second_order:
        options.update(hypergradient='finite_difference', virtual_step=dict(momentum=True, weight_decay=True))
    else:
        options.update(hypergradient='first_order')
    spaces = dict(fast=dict(type=FAST[space]), plain=register_plain()[space])
    return {side: build(dict(spaces[side], **space_options), **options) for side in sides}


def time_ratio(space, second_order, number, repeats):
    """The fastest iteration of the fast supernet over that of the plain one; both are warmed up first."""
    by_side = searches(space, second_order)
    times = {side: [] for side in by_side}
    for index in range(repeats + 1):
        for side, search in by_side.items():
            times[side].append(iteration(*search, number, index))
    best = {side: min(values[1:]) for side, values in times.items()}
    return dict(best, ratio=best['fast'] / best['plain'])


def memory(space, second_order, number, side):
    """MB."""
    from hypergradient import forget_peak, resident
    search, = searches(space, second_order, (side, )).values()
    base = resident('VmRSS')
    forget_peak()
    iteration(*search, number)
    return dict(memory=resident('VmHWM') - base)


def transfer(kind, num, number):
    """CPU seconds of an iteration: ``none``; ``full``; ``machinery``, the transfer on embeddings that cost nothing."""
    options = dict(rounds=2, order=('c10', 'c100'), hypergradient='first_order', encoder_weights=dict(
        type='HyperNetwork'))
    if kind != 'none':
        options['transfer'] = dict(type='MMDTransfer', num_examples=num, num_augmentations=num, image_size=32)
    model, optim_wrapper = build(dict(type='PCDARTSSupernet'), **options)
    if kind == 'machinery':
        for task in model.tasks.values():
            task.embed = lambda weights, gates, images: (
                images.mean((2, 3)).repeat(1, 86)[:, :256] * weights[:256] * 1e2)
    return dict(time=iteration(model, optim_wrapper, number))


def measure(**task):
    from figures import measured
    return measured(__file__, task, memory=task['what'] == 'memory')


def main():
    sys.path.insert(0, HERE)
    from figures import arguments, report
    parser = arguments(__doc__)
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--task', help='used by the benchmark itself')
    args = parser.parse_args()
    if args.task:
        import torch
        torch.set_num_threads(1)
        import imtnas_mm.engine  # noqa: F401
        import imtnas_mm.spaces  # noqa: F401
        task = json.loads(args.task)
        print(json.dumps({'time': time_ratio, 'memory': memory, 'transfer': transfer}[task.pop('what')](**task)))
        return
    repeats = 1 if args.quick else REPEATS

    def ratio(space, second_order, number):
        return measure(what='time', space=space, second_order=second_order, number=number, repeats=repeats)['ratio']

    peak = {side: measure(what='memory', space='darts', second_order=True, number=16, side=side)['memory']
            for side in ('fast', 'plain')}
    figures = dict(
        darts_second_order_b8=ratio('darts', True, 8),
        darts_second_order_b16=ratio('darts', True, 16),
        darts_first_order_b8=ratio('darts', False, 8),
        darts_memory_b16=peak['fast'] / peak['plain'],
        pcdarts_first_order=ratio('pcdarts', False, 16),
        prdarts_first_order=ratio('prdarts', False, 16))
    sets = dict(num=8, number=16) if args.quick else dict(num=20, number=64)
    times = {kind: measure(what='transfer', kind=kind, **sets)['time'] for kind in ('none', 'machinery', 'full')}
    figures.update(
        transfer_share=1 - times['none'] / times['full'],
        transfer_over_none=times['full'] / times['none'],
        transfer_without_encoder_over_none=times['machinery'] / times['none'])
    report(figures, args.out)


if __name__ == '__main__':
    main()
