"""The searches of the paper's configs on random data: at the paper's size, or with few channels and small images."""
import os
from contextlib import contextmanager
from types import SimpleNamespace
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIGS = dict(pcdarts='imtnas_cifar_pcdarts.py', darts='imtnas_cifar_darts.py', cls_det='imtnas_cls_det.py')
SMALL = dict(pcdarts=dict(channels=8), darts=dict(channels=4), cls_det=dict(width_mult=.25))
SIZES = dict(c10=(32, 32), c100=(32, 32), cls=(224, 224), det=(800, 1344))  # of the images of the paper's tasks
SMALL_SIZES = dict(c10=(32, 32), c100=(32, 32), cls=(32, 32), det=(128, 128))
SMALL_BATCH = dict(c10=8, c100=8, cls=8, det=2)


def imports():
    """All that configs name is registered."""
    import imtnas_mm.engine
    import imtnas_mm.networks
    import imtnas_mm.spaces  # noqa: F401


def config(name, small=False):
    """A config of the paper; ``small`` leaves its method, rounds, tasks and number of augmentation sets of 4."""
    from mmengine.config import Config
    cfg = Config.fromfile(os.path.join(HERE, os.pardir, 'configs', CONFIGS[name]))
    if not small:
        return cfg
    cfg.model.search_space.update(SMALL[name])
    cfg.model.transfer.update(num_examples=6, num_augmentations=8, image_size=32)
    tasks = cfg.model.tasks
    if name == 'cls_det':
        tasks.cls.model.head.update(in_channels=80, hidden_channels=64)
        tasks.det.model.neck.update(in_channels=[16, 24, 80], out_channels=32)
        tasks.det.model.bbox_head.update(in_channels=32, feat_channels=32)
    else:
        for task in tasks.values():
            task.model.head.in_channels = 16 * SMALL[name]['channels']
    return cfg


def tiny(name):
    """A small config with one round and, on cells, 3 of them: whether something runs, in seconds."""
    cfg = config(name, small=True)
    cfg.train_cfg.rounds = 1
    if 'layers' in cfg.model.search_space:
        cfg.model.search_space.layers = 3
    return cfg


def differing(cfg):
    """The config with encoders that differ from one another, so that a transfer has pairs to be active for.

    Its statistic is the default one with an absolute threshold, which :func:`making_live` can set.
    """
    cfg.model.encoder_weights.stage_std = 1.
    cfg.model.transfer.statistic = 'studentized'
    return cfg


def standing(cfg):
    """The config with learning rates so small that what is active stays active, whatever the number of iterations."""
    for name in ('encoder', 'head', 'architecture'):
        cfg.optim_wrapper[name].optimizer.lr = 1e-6
    return cfg


class Data:
    """Random batches of a config's sizes, as loaders give them.

    Args:
        cfg (Config)
        small (bool)
    """

    def __init__(self, cfg, small):
        self.sizes = SMALL_SIZES if small else SIZES
        self.numbers = SMALL_BATCH if small else {n: part.batch_size for n, part in cfg.train_dataloader.items()}
        self.half = cfg.model.transfer.num_examples // 2

    def images(self, task, number):
        import torch
        return [torch.randint(0, 256, (3, *self.sizes[task]), dtype=torch.uint8) for _ in range(number)]

    def batch(self, task):
        """A raw batch."""
        import torch
        from mmdet.structures import DetDataSample
        from mmengine.structures import InstanceData
        from mmpretrain.structures import DataSample
        images, samples = self.images(task, self.numbers[task]), []
        if task != 'det':
            labels = [DataSample().set_gt_label(i % 10) for i in range(len(images))]
            return dict(inputs=torch.stack(images), data_samples=labels)  # their loaders collate
        for i, image in enumerate(images):
            shape = tuple(image.shape[1:])
            sample = DetDataSample(metainfo=dict(img_shape=shape, ori_shape=shape, scale_factor=(1., 1.), img_id=i))
            sample.gt_instances = InstanceData(
                bboxes=torch.tensor([[5.3, 6.1, 60.7, 73.], [41.2, 20., 99.9, 70.5]]), labels=torch.tensor([3, 1]))
            samples.append(sample)
        return dict(inputs=images, data_samples=samples)

    def stage(self, stage, previous):
        """What :meth:`UnrolledSearch.train_stage` takes."""
        batches = dict(train=self.batch(stage.task))
        if previous is not None:
            batches['examples'] = self.images(previous.task, self.half), self.images(stage.task, self.half)
        return batches

    def iteration(self, model):
        from imtnas_mm.engine.loops.search_loop import IterationBatches
        batches, previous = IterationBatches(), None
        for stage in model.stages:
            batches.stages.append(self.stage(stage, previous))
            previous = stage
        batches.architecture = [{name: self.batch(name) for name in model.order}]
        return batches


def build(cfg, mode, **options):
    """The search of a config; ``options`` are of its model."""
    import torch

    from imtnas_mm.registry import MODELS
    torch.manual_seed(0)
    return MODELS.build(dict(
        cfg.model, type=f'imtnas_mm.{cfg.model.type}', hypergradient=mode,
        **{'rounds': cfg.train_cfg.rounds, 'order': tuple(cfg.train_cfg.order), **options}))


def optimisers(cfg, model):
    from imtnas_mm.engine.optim import SearchOptimWrapperConstructor
    parts = {key: value for key, value in cfg.optim_wrapper.items() if key != 'constructor'}
    return SearchOptimWrapperConstructor(parts)(model)


def loop(cfg, model, data):
    """A function that runs the next iteration of the loop, with its checks and what it logs.

    Its random numbers are those of the host, whose state is as before when it
    returns. Batches are made outside: :class:`Data` needs no device.
    """
    import torch
    from mmengine.logging import MessageHub

    from imtnas_mm.engine.loops.iteration_guard import IterationGuard
    from imtnas_mm.engine.loops.search_loop import InterleavedSearchLoop
    hub = MessageHub.get_instance(f'benchmark_{id(model)}')

    def call_hook(name, outputs=None, **_):
        for key, value in (outputs or {}).items():  # as mmengine's RuntimeInfoHook does
            hub.update_scalar(f'train/{key}', value)

    loop = InterleavedSearchLoop.__new__(InterleavedSearchLoop)
    loop._runner = SimpleNamespace(model=model, optim_wrapper=optimisers(cfg, model), call_hook=call_hook, iter=0,
                                  message_hub=hub)
    loop._epoch, loop._max_epochs, loop._iter, loop._max_iters = 20, 50, 200, 500
    loop.warmup_epochs = 0
    loop.guard = IterationGuard('stop')

    def iterate(batches=None):
        batches = data.iteration(model) if batches is None else batches
        loop.dataloader = SimpleNamespace(next=lambda *_: batches)
        with torch.random.fork_rng([]):
            loop.run_iter(0, loop.next_batches())

    return iterate


def live_threshold(teachers, students):
    """The threshold that leaves most pairs active (Eq. 4) in the stage that has the fewest; between two statistics.

    Args:
        teachers, students (Tensor): statistics, [stages, pairs].
    """
    import torch
    values = torch.cat([teachers, students]).flatten().sort().values
    candidates = (values[1:] + values[:-1]) / 2
    low, high = torch.minimum(teachers, students)[..., None], torch.maximum(teachers, students)[..., None]
    counts = ((low < candidates) & (candidates < high)).sum(1)  # [stages, candidates]
    return candidates[(counts.min(0).values * counts.numel() + counts.sum(0)).argmax()].item()


@contextmanager
def making_live(model):
    """Sets the threshold of a transfer by an iteration that runs inside, so that its hinge is active in every stage."""
    import torch
    seen, plain = [], model.transfer.statistics
    with mock.patch.object(model.transfer, 'statistics', lambda *args: _note(seen, plain(*args))):
        yield
    model.transfer.threshold = live_threshold(torch.stack(seen[::2]), torch.stack(seen[1::2]))


def _note(seen, values):
    seen.append(values.detach())
    return values


def active_share(model):
    """The share of the last iteration's transfers that were active."""
    records = model.records[1:]
    return sum(bool(record.active) for record in records) / len(records)
