"""The search of imtnas_cls_det.py at a scale of minutes on two CPU cores: 64-pixel images, 200 classes, a few hundred
scenes of COCO.

Data in the same layouts under data/small: link or copy them there.
"""
_base_ = ['imtnas_cls_det.py']

small_root = 'data/small/'
model = dict(
    search_space=dict(width_mult=.35, stem_stride=2, strides=(1, 2, 2, 1, 2, 1)),
    # smaller sets of embeddings of fewer channels: the statistic of a new encoder stays below 3 (docs/results.md)
    transfer=dict(num_examples=12, num_augmentations=12, image_size=48, threshold=.5),
    hypergradient='first_order',
    tasks=dict(
        cls=dict(
            model=dict(
                data_preprocessor=dict(num_classes=200),
                head=dict(num_classes=200, in_channels=112, hidden_channels=448))),
        det=dict(
            model=dict(
                data_preprocessor=dict(pad_size_divisor=16),
                neck=dict(in_channels=[16, 32, 112], out_channels=64),
                bbox_head=dict(
                    in_channels=64,
                    feat_channels=64,
                    stacked_convs=2,
                    anchor_generator=dict(strides=[4, 8, 16, 32, 64]))))))

cls_train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=64, padding=6, padding_mode='reflect'),
    dict(type='RandomFlip', prob=.5, direction='horizontal'),
    dict(type='PackInputs'),
]
cls_test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
det_train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(160, 160), keep_ratio=True),
    dict(type='RandomFlip', prob=.5),
    dict(type='PackDetInputs'),
]
det_test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(160, 160), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
cls_data = dict(type='CustomDataset', data_root=small_root + 'imagenet', _delete_=True)
train_dataloader = dict(
    cls=dict(
        batch_size=32,
        num_workers=0,
        persistent_workers=False,
        dataset=dict(data_prefix='train', pipeline=cls_train_pipeline, **cls_data)),
    det=dict(
        batch_size=4,
        num_workers=0,
        persistent_workers=False,
        dataset=dict(data_root=small_root + 'coco', filter_cfg=dict(min_size=1), pipeline=det_train_pipeline)))
val_dataloader = dict(
    cls=dict(
        batch_size=100, num_workers=0, dataset=dict(data_prefix='val', pipeline=cls_test_pipeline, **cls_data)),
    det=dict(batch_size=4, num_workers=0, dataset=dict(data_root=small_root + 'coco', pipeline=det_test_pipeline)))
val_evaluator = dict(det=dict(ann_file=small_root + 'coco/annotations/instances_val2017.json'))
test_dataloader = val_dataloader
test_evaluator = val_evaluator

train_cfg = dict(rounds=2, max_epochs=4, epoch_length=30, warmup_epochs=1, val_interval=4)
cosine = dict(type='CosineAnnealingLR', T_max=4, eta_min=0., by_epoch=True, convert_to_iter_based=True)
param_scheduler = dict(encoder=[cosine], head=[cosine])
default_hooks = dict(logger=dict(interval=10), architecture=dict(interval=30))
log_processor = dict(window_size=10)
