"""small_imagenet.py at 96 pixels and the layout's own strides, for the 320-pixel detector small_retinanet_coco320.py.

The images have 64 pixels and are enlarged, so that objects are as large in the last features as those of the detector.
"""
_base_ = ['small_imagenet.py']
model = dict(
    backbone=dict(width_mult=.5, strides=(2, 2, 2, 1, 2, 1)),
    head=dict(in_channels=160, hidden_channels=1280))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=96, crop_ratio_range=(.35, 1.)),
    dict(type='RandomFlip', prob=.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='Resize', scale=96), dict(type='PackInputs')]
train_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=6, val_interval=2)
