"""mbconv_imagenet.py at the scale of imtnas_cls_det_small.py."""
_base_ = ['mbconv_imagenet.py']
small_root = 'data/small/'
model = dict(
    backbone=dict(width_mult=.35, stem_stride=2, strides=(1, 2, 2, 1, 2, 1)),
    head=dict(num_classes=200, in_channels=112, hidden_channels=448))
data_preprocessor = dict(num_classes=200)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=64, padding=6, padding_mode='reflect'),
    dict(type='RandomFlip', prob=.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
data = dict(type='CustomDataset', data_root=small_root + 'imagenet', _delete_=True)
train_dataloader = dict(
    batch_size=64, num_workers=1, dataset=dict(data_prefix='train', pipeline=train_pipeline, **data))
val_dataloader = dict(
    batch_size=100, num_workers=1, dataset=dict(data_prefix='val', pipeline=test_pipeline, **data))
test_dataloader = val_dataloader
auto_scale_lr = dict(base_batch_size=64)
train_cfg = dict(max_epochs=3, val_interval=3)
optim_wrapper = dict(optimizer=dict(lr=.1, weight_decay=1e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=.01, by_epoch=False, begin=0, end=200),
    dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True, convert_to_iter_based=True),
]
