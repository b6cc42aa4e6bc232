"""A search by two processes is the search by one process on all their data."""
import copy
from functools import partial

import pytest
import torch
from mmengine.dist import get_rank

from helpers import one_process as oracle
from helpers import ranks
from helpers import small_search as small
from imtnas_mm.encoders import StoredWeights

GROUP_NORM = dict(type='GN', num_groups=2)
SPACE = dict(norm_cfg=GROUP_NORM, estimator='two_path')
TRANSFER = dict(small.TRANSFER, num_augmentations=3, image_size=12, threshold=.05)
KINDS = ('HyperNetwork', 'StoredWeights')
EXACT = 1e-12  # of float64; the numbers are of the order of 1
FCOS = dict(
    type='FCOS',
    data_preprocessor=small.DETECTOR['data_preprocessor'],
    neck=small.DETECTOR['neck'],
    bbox_head=dict(
        type='FCOSHead',
        num_classes=3,
        in_channels=8,
        stacked_convs=1,
        feat_channels=8,
        strides=[2, 4],
        regress_ranges=((-1, 6), (6, 1e8)),
        norm_cfg=None,
        loss_bbox=dict(type='GIoULoss')))


@pytest.fixture(autouse=True)
def independent_images(monkeypatch):
    """Group norm in place of batch statistics, and no dropout: what an image gives depends on it alone."""
    model = copy.deepcopy(small.CLASSIFIER)
    model['head'].update(norm_cfg=GROUP_NORM, dropout=0.)
    monkeypatch.setitem(small.TASKS, 'cls', dict(small.TASKS['cls'], model=model))


def build(order=('cls', 'det'), rounds=2, transfer=TRANSFER, **options):
    options = dict(dict(space=SPACE), **options)
    return apart(small.build(order, rounds, transfer=transfer, **options))


def apart(model):
    """Stored weights begin alike, and encoders that are alike have nothing to transfer."""
    if isinstance(model.encoder_weights, StoredWeights):
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for weights in model.encoder_weights.weights:
                weights += .1 * torch.randn(weights.shape, generator=generator, dtype=weights.dtype)
    return model


def batches(model, rank):
    """Stage and validation batches; which rank's, is a matter of the random numbers alone."""
    return small.stage_batches(model), small.val_batches(model)


def state_of(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def search(model, iterations, batches_of):
    """Runs a search; returns its first and last state, and how many views the second pass of each transfer needed."""
    optim_wrapper, needed, start = small.optimisers(model), [], state_of(model)
    for iteration in range(iterations):
        small.iterate(model, optim_wrapper, iteration, *batches_of(model, iteration))
        needed += [len(record.needed) for record in model.records if record.needed is not None]
    return start, state_of(model), needed


def on_ranks(make, iterations, folder, batches=batches):
    """What :func:`search` gives on each of two ranks, which see ``batches(model, rank)``."""
    def main():
        torch.distributed.init_process_group('gloo')
        actual = search(make(), iterations, lambda model, i: oracle.drawn(
            get_rank(), i, partial(batches, model, get_rank())))
        torch.save(actual, folder / f'rank{get_rank()}.pth')
        torch.distributed.barrier()

    ranks.run(2, folder, main)
    return [torch.load(folder / f'rank{rank}.pth') for rank in range(2)]


def by_one(make, iterations, batches=batches, together=True):
    """What :func:`search` gives of one process that sees the data of both ranks."""
    def batches_of(model, iteration):
        drawn = [oracle.drawn(rank, iteration, partial(batches, model, rank)) for rank in range(2)]
        return oracle.merged(drawn, together)

    return search(oracle.one_process(make()), iterations, batches_of)


def check(make, iterations, folder, batches=batches, together=True, tolerance=EXACT):
    """Both ranks end with all the numbers that one process ends with; returns the views that each rank needed."""
    (_, first, *needed), (_, second, *more) = on_ranks(make, iterations, folder, batches)
    start, expected, _ = by_one(make, iterations, batches, together)
    assert oracle.distance(first, second) == 0
    assert oracle.distance(first, expected) < tolerance
    for part in ('architecture', 'encoder_weights', 'heads'):
        moved = [(expected[n] - start[n]).abs().max() for n in expected if n.startswith(part)]
        assert max(moved) > 100 * tolerance, part
    return needed + more


@pytest.mark.parametrize('mode, kind, rounds, iterations, unlike', [
    ('first_order', 'HyperNetwork', 1, 2, 0), ('first_order', 'StoredWeights', 2, 5, 4),
    ('exact', 'HyperNetwork', 2, 3, 3), ('exact', 'StoredWeights', 1, 2, 0)])
def test_iterations(mode, kind, rounds, iterations, unlike, tmp_path):
    """Two ranks end with the A, weights and heads of one process on the union batch.

    The task losses of the truth are of the union batch, in one call. For the
    classifier it is a mean over images. RetinaNet's is ``sum_i l_i / (sum_i
    max(p_i, 1) + 1.2e-7)`` over a rank's images with ``p_i`` positive anchors;
    the boxes of the ranks are alike, so that both sums are half of the union's.
    mmdet's 1.2e-7 isn't: hence the tolerance. T is ``1/2 (T_0 + T_1)``, see
    :func:`helpers.one_process.one_process`.
    """
    options = dict(hypergradient=mode, encoder_weights=dict(type=kind))
    needed = check(lambda: build(rounds=rounds, **options), iterations, tmp_path, tolerance=1e-7)
    pairs = set(zip(*[[bool(views) for views in of_rank] for of_rank in needed], strict=True))
    assert len(pairs) >= unlike  # transfers that are active on both ranks, on one, on the other and on none


@pytest.mark.parametrize('kind', KINDS)
def test_single_precision(kind, tmp_path, monkeypatch):
    """A by SGD: Adam makes full steps of gradients that are rounding alone."""
    sgd = dict(type='SGD', lr=.05, momentum=.9)
    monkeypatch.setattr(small, 'optimisers', partial(small.optimisers, architecture=sgd))
    check(lambda: build(('cls', 'cls2'), 1, encoder_weights=dict(type=kind), dtype=torch.float32), 3, tmp_path,
          tolerance=2e-6)


@pytest.mark.parametrize('options', [
    dict(hypergradient='finite_difference', transfer=None),
    dict(encoder_task_weight=.5),
    dict(hypernetwork_step='stage'),
    dict(arch_steps=2),
    dict(transfer=dict(type='L2Weights')),
    dict(transfer=dict(type='L2Embedding', num_examples=4, image_size=12)),
    dict(transfer=dict(type='ExampleSimilarity', num_examples=4, image_size=12)),
    dict(encoder_weights=dict(type='StoredWeights'), virtual_step=dict(momentum=True, weight_decay=True)),
    dict(step_space='hypernetwork', hypernetwork_step='stage', virtual_step=dict(momentum=True, weight_decay=True)),
], ids=str)
def test_options(options, tmp_path):
    loose = options.get('hypergradient') == 'finite_difference'  # rounding over a step of 1e-7
    iterations = 2 if 'virtual_step' in options else 1  # momentum is there after the first
    check(lambda: build(('cls', 'cls2'), 1, **options), iterations, tmp_path, tolerance=1e-7 if loose else EXACT)


@pytest.mark.parametrize('method', [
    'MTLSAO', 'MTLHWS', 'MTLSWS', 'MinibatchInterleaving', 'SeparateInterleaving', 'BMTAS', 'MTLNAS'])
def test_methods(method, tmp_path):
    def make():
        return apart(small.build_method(method, space=dict(small.SPACE, **SPACE)))
    check(make, 1, tmp_path)


def detection(shapes, boxes):
    """A batch of images of such shapes with so many boxes each."""
    batch = small.detection_batch(len(shapes))
    for i, ((height, width), number) in enumerate(zip(shapes, boxes, strict=True)):
        batch['inputs'][i] = torch.randint(0, 256, (3, height, width), dtype=torch.uint8)
        sample = batch['data_samples'][i]
        sample.set_metainfo(dict(img_shape=(height, width), ori_shape=(height, width)))
        sample.gt_instances = sample.gt_instances[:number]
    return batch


SQUARE = ((16, 16), (16, 16))
DETECTIONS = dict(  # shapes and boxes of either rank's two images
    sizes=((((16, 16), (24, 16)), (2, 2)), (((32, 24), (16, 16)), (2, 1))),
    one_rank_without_boxes=((SQUARE, (2, 2)), (SQUARE, (0, 0))),
    no_boxes=((SQUARE, (0, 0)), (SQUARE, (0, 0))),
    one_box=((SQUARE, (0, 0)), (SQUARE, (1, 0))))


def unlike(detections):
    """Batches with the images and boxes of ``detections`` by rank; classification has images of a size a rank."""
    def one_of(task, rank):
        if task.startswith('det'):
            return detection(*detections[rank])
        return dict(small.classification_batch(), inputs=small.images(4, 16 + 4 * rank))

    def batches(model, rank):
        stages, val = small.stage_batches(model), small.val_batches(model)
        for stage, batch in zip(model.stages, stages, strict=True):
            batch['train'] = one_of(stage.task, rank)
        return stages, {task: one_of(task, rank) for task in val}

    return batches


@pytest.mark.parametrize('name', ['sizes', 'one_rank_without_boxes', 'no_boxes'])
def test_unlike_ranks(name, tmp_path, monkeypatch):
    """No rank waits for another in vain; the loss is the mean of the ranks' own losses, each with its own dropout."""
    monkeypatch.setitem(small.TASKS['cls']['model']['head'], 'dropout', .2)
    check(lambda: build(rounds=1), 1, tmp_path, unlike(DETECTIONS[name]), together=False)


@pytest.mark.parametrize('name', ['one_rank_without_boxes', 'one_box'])
def test_a_loss_that_counts_positives_over_ranks(name, tmp_path, monkeypatch):
    """FCOS divides by ``max(p, 1)``, p the mean number of positive points of the ranks.

    So the mean of the ranks' losses is the loss of the union batch, however unlike their boxes are, where p >= 1.
    """
    monkeypatch.setitem(small.TASKS, 'det', dict(small.TASKS['det'], model=FCOS))
    check(lambda: build(('det', 'det2'), 1, None), 1, tmp_path, unlike(DETECTIONS[name]), tolerance=1e-7)


@pytest.mark.parametrize('mode, backward', [('first_order', 0), ('exact', 2)])
def test_collectives_of_an_iteration(mode, backward, tmp_path):
    """At most three per stage forwards, two per stage backwards, one per task and one for A, in all cases."""
    def main():
        torch.distributed.init_process_group('gloo')
        model = build(hypergradient=mode)
        optim_wrapper, sizes, reduce = small.optimisers(model), [], torch.distributed.all_reduce

        def counting(tensor, *args, **kwargs):
            sizes.append(tensor.numel())
            return reduce(tensor, *args, **kwargs)

        torch.distributed.all_reduce = counting
        small.iterate(model, optim_wrapper, 0, *oracle.drawn(get_rank(), 0, partial(batches, model, get_rank())))
        torch.distributed.all_reduce = reduce
        stages, tasks = len(model.stages), len(model.order)
        assert len(sizes) <= (3 + backward) * stages + tasks + 1
        weights = model.first_task.layout.size
        # once per stage W's gradient, once per stage its adjoint; all other reductions are of heads and scalars
        assert sum(size >= weights for size in sizes) <= stages * (1 + backward // 2)
        torch.distributed.barrier()

    ranks.run(2, tmp_path, main)
