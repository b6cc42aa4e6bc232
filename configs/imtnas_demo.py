"""The main job on demonstration data: search over handwritten digits, classified one by one and detected in scenes.

The data are made on the spot from images that scikit-learn ships; the numbers
show that the programs work and say nothing about the method.
"""
_base_ = ['imtnas_cls_det.py']

gray = dict(mean=[127.5, 127.5, 127.5], std=[64., 64., 64.])
model = dict(
    search_space=dict(width_mult=.25, stem_stride=2, strides=(1, 2, 2, 1, 2, 1)),
    transfer=dict(num_examples=8, num_augmentations=8, image_size=32),
    tasks=dict(
        cls=dict(
            model=dict(
                data_preprocessor=dict(num_classes=10, **gray),
                head=dict(num_classes=10, in_channels=80, hidden_channels=256))),
        det=dict(
            backbone=dict(out_indices=(3, 5)),
            model=dict(
                data_preprocessor=dict(pad_size_divisor=16, **gray),
                neck=dict(in_channels=[24, 80], out_channels=64, num_outs=2),
                bbox_head=dict(
                    num_classes=10,
                    in_channels=64,
                    feat_channels=64,
                    stacked_convs=2,
                    anchor_generator=dict(
                        octave_base_scale=1.75, scales_per_octave=2, ratios=[1., 1.6], strides=[8, 16]))))))

demo_root = 'data/demo/'
digits = ('zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine')
cls_train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=32, padding=3),
    dict(type='PackInputs'),
]
cls_test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
det_train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs'),
]
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
det_test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(96, 96), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=meta_keys),
]
det_val_pipeline = [*det_test_pipeline[:-1], dict(type='PackDetInputs', meta_keys=(*meta_keys, 'instances'))]
train_dataloader = dict(
    cls=dict(
        batch_size=32,
        num_workers=0,
        persistent_workers=False,
        dataset=dict(
            type='CustomDataset',
            _delete_=True,
            data_root=demo_root + 'imagenet',
            data_prefix='train',
            pipeline=cls_train_pipeline)),
    det=dict(
        batch_size=4,
        num_workers=0,
        persistent_workers=False,
        dataset=dict(
            data_root=demo_root + 'coco',
            metainfo=dict(classes=digits),
            filter_cfg=dict(min_size=1),
            pipeline=det_train_pipeline)))
val_dataloader = dict(
    cls=dict(batch_size=100, num_workers=0, dataset=dict(pipeline=cls_test_pipeline)),
    det=dict(batch_size=10, num_workers=0, dataset=dict(pipeline=det_val_pipeline)))
test_dataloader = dict(
    cls=dict(
        batch_size=100,
        num_workers=0,
        dataset=dict(
            type='CustomDataset',
            _delete_=True,
            data_root=demo_root + 'imagenet',
            data_prefix='val',
            pipeline=cls_test_pipeline)),
    det=dict(
        batch_size=10,
        num_workers=0,
        dataset=dict(data_root=demo_root + 'coco', metainfo=dict(classes=digits), pipeline=det_test_pipeline)))
test_evaluator = dict(det=dict(ann_file=demo_root + 'coco/annotations/instances_val2017.json'))
auto_scale_lr = dict(base_batch_size=dict(cls=32, det=4))

train_cfg = dict(rounds=2, max_epochs=3, epoch_length=12, warmup_epochs=1, val_interval=3)
optim_wrapper = dict(encoder=dict(optimizer=dict(lr=.05)), architecture=dict(optimizer=dict(lr=5e-3)))
cosine = dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True, convert_to_iter_based=True)
param_scheduler = dict(encoder=[cosine], head=[cosine])
default_hooks = dict(logger=dict(interval=4), architecture=dict(interval=12))
log_processor = dict(window_size=4)
