"""Retrainings small enough for exact comparisons, with every source of random numbers, and their final states."""
from . import tiny_run as tiny
from .search_state import losses

LAST = dict(type='imtnas_mm.AtomicCheckpointHook', interval=1)
EVERY_ITERATION = dict(type='CheckpointHook', interval=1, by_epoch=False, max_keep_ckpts=-1, save_last=False)


def cells(root):
    """A classifier of cells with drop path, mixup, cutout, a weight average and a schedule of each kind."""
    fields = tiny.retrain_fields(root, 'cls', architecture='darts_v2', epochs=2)
    fields['model'] = dict(
        fields['model'],
        train_cfg=dict(augments=dict(type='Mixup', alpha=.4)),
        backbone=dict(type='imtnas_mm.CellNet', architecture='darts_v2', channels=4, layers=3, drop_path=.4),
        head=dict(type='imtnas_mm.CellHead', num_classes=3, in_channels=64, topk=(1, 2),
                  loss=dict(type='CrossEntropyLoss', use_soft=True)))
    fields['train_dataloader']['dataset']['pipeline'] = [
        dict(type='LoadImageFromFile'),
        dict(type='RandomCrop', crop_size=32, padding=4),
        dict(type='RandomFlip', prob=.5, direction='horizontal'),
        dict(type='ColorJitter', brightness=.4, contrast=.4, saturation=.4),
        dict(type='Cutout', shape=16, pad_val=(125, 123, 114), prob=.5),
        dict(type='PackInputs'),
    ]
    fields['param_scheduler'] = [dict(type='LinearLR', start_factor=.1, by_epoch=False, begin=0, end=3),
                                 dict(type='CosineAnnealingLR', T_max=2, by_epoch=True)]
    return dict(fields, custom_hooks=[
        EVERY_ITERATION, dict(type='imtnas_mm.DropPathHook'), dict(type='EMAHook', momentum=.1, update_buffers=True)])


def dropout(root):
    """A classifier with dropout; each image thrice, in unlike views."""
    fields = tiny.retrain_fields(root, 'cls', tiny.short_architecture().to_dict(), epochs=2)
    fields['model'] = dict(fields['model'], head=dict(fields['model']['head'], dropout=.3))
    fields['train_dataloader'].update(
        dataset=dict(type='RepeatDataset', times=2, dataset=fields['train_dataloader']['dataset']), batch_size=12,
        sampler=dict(type='RepeatAugSampler', num_repeats=3))
    fields['train_dataloader']['dataset']['dataset']['pipeline'] = [
        dict(type='LoadImageFromFile'), dict(type='RandomResizedCrop', scale=32), dict(type='PackInputs')]
    return dict(fields, custom_hooks=[EVERY_ITERATION])


def detection(root):
    """A detector whose crops may leave no box, and are drawn again; batches by aspect ratio."""
    fields = tiny.retrain_fields(root, architecture=tiny.short_architecture().to_dict(), epochs=2)
    fields['train_dataloader'].update(batch_sampler=dict(type='AspectRatioBatchSampler'))
    fields['train_dataloader']['dataset']['pipeline'] = [
        *tiny.DET_TRAIN[:-1],
        dict(type='RandomCrop', crop_size=(.4, .4), crop_type='relative_range', allow_negative_crop=False),
        dict(type='Resize', scale=(tiny.SIZE, tiny.SIZE), keep_ratio=False), tiny.DET_TRAIN[-1]]
    return dict(fields, custom_hooks=[EVERY_ITERATION])


KINDS = dict(cells=cells, dropout=dropout, detection=detection)


def write_config(path, data, kind, **changes):
    """Two epochs of a kind, a checkpoint after each iteration and each epoch; losses smoothed over 3 iterations."""
    fields = KINDS[kind](data)
    fields['default_hooks']['checkpoint'] = LAST
    fields['log_processor'] = dict(window_size=3)
    fields['visualizer']['vis_backends'] = [dict(type='LocalVisBackend')]
    for name, value in changes.items():
        fields[name] = dict(fields.get(name) or {}, **value) if isinstance(value, dict) else value
    return tiny.write_config(path, None, **fields)


def state(path):
    """The parts of a checkpoint from which a retraining resumes."""
    saved = tiny.checkpoint(path)
    assert saved['optimizer']['state']
    parts = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')
    return dict({key: saved.get(key) for key in parts}, position=(saved['meta']['epoch'], saved['meta']['iter']))


def logged(work_dir):
    """Iteration -> its figures, which all runs in a work dir logged alike."""
    logs = losses(work_dir)
    assert all(line == lines[0] for lines in logs.values() for line in lines)
    return {iteration: lines[0] for iteration, lines in logs.items()}
