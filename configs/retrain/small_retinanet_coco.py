"""mbconv_retinanet_coco.py at the scale of imtnas_cls_det_small.py."""
_base_ = ['mbconv_retinanet_coco.py']
small_root = 'data/small/coco/'
model = dict(
    data_preprocessor=dict(pad_size_divisor=16),
    backbone=dict(
        width_mult=.35,
        stem_stride=2,
        strides=(1, 2, 2, 1, 2, 1),
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=dict(checkpoint='work_dirs/small_imagenet/epoch_3.pth')),
    neck=dict(in_channels=[16, 32, 112], out_channels=64),
    bbox_head=dict(
        in_channels=64, feat_channels=64, stacked_convs=2, anchor_generator=dict(strides=[4, 8, 16, 32, 64])))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(160, 160), keep_ratio=True),
    dict(type='RandomFlip', prob=.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(160, 160), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(data_root=small_root, filter_cfg=dict(min_size=1), pipeline=train_pipeline))
val_dataloader = dict(batch_size=4, num_workers=1, dataset=dict(data_root=small_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
auto_scale_lr = dict(base_batch_size=8)
val_evaluator = dict(ann_file=small_root + 'annotations/instances_val2017.json')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=12, val_interval=12)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-3, weight_decay=.05), clip_grad=dict(max_norm=5.))
param_scheduler = [
    dict(type='LinearLR', start_factor=.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(logger=dict(interval=20))
