"""mbconv_retinanet_coco.py on a few hundred scenes of 320 pixels: a detector for two CPU cores.

Its backbone starts from the classifier of small_imagenet96.py, of the same architecture.
"""
_base_ = ['small_retinanet_coco.py']
model = dict(
    data_preprocessor=dict(pad_size_divisor=32),
    backbone=dict(
        width_mult=.5,
        strides=(2, 2, 2, 1, 2, 1),
        init_cfg=dict(checkpoint='work_dirs/small_imagenet96/epoch_6.pth')),
    neck=dict(in_channels=[24, 48, 160], num_outs=4),
    bbox_head=dict(anchor_generator=dict(octave_base_scale=3, scales_per_octave=2, strides=[8, 16, 32, 64])),
    test_cfg=dict(score_thr=.01))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='MinIoURandomCrop', min_crop_size=.5),
    dict(type='Resize', scale=(320, 320), keep_ratio=True),
    dict(type='RandomFlip', prob=.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    _base_.test_pipeline[0],
    dict(_base_.test_pipeline[1], scale=(320, 320)),
    *_base_.test_pipeline[2:],
]
train_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=20, val_interval=4)
