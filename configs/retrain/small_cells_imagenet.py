"""cells_imagenet.py at the scale of small_cells_cifar10.py, on the 64-pixel images of data/small/imagenet.

They are too small for the auxiliary classifier.
"""
_base_ = ['cells_imagenet.py']
model = dict(
    backbone=dict(channels=8, layers=5, auxiliary=False),
    head=dict(num_classes=200, in_channels=128, auxiliary=None, loss=dict(num_classes=200)))
data_preprocessor = dict(num_classes=200)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=64, padding=6, padding_mode='reflect'),
    dict(type='RandomFlip', prob=.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
data = dict(type='CustomDataset', data_root='data/small/imagenet', _delete_=True)
train_dataloader = dict(
    batch_size=48, num_workers=1, dataset=dict(data_prefix='train', pipeline=train_pipeline, **data))
val_dataloader = dict(
    batch_size=100, num_workers=1, dataset=dict(data_prefix='val', pipeline=test_pipeline, **data))
test_dataloader = val_dataloader
auto_scale_lr = dict(base_batch_size=48)
train_cfg = dict(max_epochs=3, val_interval=3)
optim_wrapper = dict(optimizer=dict(lr=.05))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True)]
