"""CIFAR-10 in data/cifar10/cifar-10-batches-py: padded crops, flips and cutout of 16 pixels (the paper's E.1).

A cut square is filled with the mean, so with zeros once normalised.
mmpretrain's Cutout shifts a square that would reach over the upper or left
border inside, where DARTS clips it at all four.
"""
data_preprocessor = dict(
    num_classes=10,
    mean=[125.31, 122.95, 113.87],  # of the training set
    std=[62.99, 62.09, 66.70],
    to_rgb=False)  # they are RGB in the files
train_pipeline = [
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=.5, direction='horizontal'),
    dict(type='Cutout', shape=16, pad_val=(125, 123, 114), prob=1.),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='PackInputs')]
dataset = dict(type='imtnas_mm.CIFAR10', data_root='data/cifar10', check_md5=True)
train_dataloader = dict(
    batch_size=96,
    num_workers=2,
    persistent_workers=True,
    dataset=dict(split='train', pipeline=train_pipeline, **dataset),
    sampler=dict(type='DefaultSampler', shuffle=True))
val_dataloader = dict(
    batch_size=96,
    num_workers=2,
    persistent_workers=True,
    dataset=dict(split='test', pipeline=test_pipeline, **dataset),
    sampler=dict(type='DefaultSampler', shuffle=False))
val_evaluator = dict(type='Accuracy', topk=(1, ))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
