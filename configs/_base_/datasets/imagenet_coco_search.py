"""ImageNet and COCO for a search: data/imagenet and data/coco in their standard layouts.

Batches are per GPU: 8 GPUs give the paper's 1024 images of ImageNet; its 12 of
COCO divide over 1, 2, 3, 4, 6 or 12 GPUs, so 8 GPUs take 2 each, 16 in all.
The paper's 12 beside its 1024 are 4 GPUs of 256 and 3:
    bash tools/dist_train.sh configs/imtnas_cls_det.py 4 --cfg-options train_dataloader.cls.batch_size=256 \
        train_dataloader.det.batch_size=3 auto_scale_lr.base_batch_size.det=12

The search network is validated on as many images of D^val, the half on which A
learns, as the test splits have. These are for tools/test.py.
"""
imagenet_root = 'data/imagenet/'
coco_root = 'data/coco/'
cls_train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=224),
    dict(type='RandomFlip', prob=.5, direction='horizontal'),
    dict(type='PackInputs'),
]
cls_test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=256, edge='short'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]
det_train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='RandomFlip', prob=.5),
    dict(type='PackDetInputs'),
]
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
det_test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=meta_keys),
]
det_val_pipeline = [*det_test_pipeline[:-1], dict(type='PackDetInputs', meta_keys=(*meta_keys, 'instances'))]
train_dataloader = dict(
    cls=dict(
        batch_size=128,
        num_workers=5,
        persistent_workers=True,
        collate_fn=dict(type='default_collate'),  # workers hand over one tensor, not 128
        dataset=dict(
            type='ImageNet', data_root=imagenet_root, split='train', pipeline=cls_train_pipeline)),
    det=dict(
        batch_size=2,
        num_workers=2,
        persistent_workers=True,
        dataset=dict(
            type='CocoDataset',
            data_root=coco_root,
            ann_file='annotations/instances_train2017.json',
            data_prefix=dict(img='train2017/'),
            filter_cfg=dict(filter_empty_gt=True, min_size=32),
            pipeline=det_train_pipeline)))
# folders go by class; batch statistics of one class would mislead the search network
cls_test_loader = dict(
    batch_size=128, num_workers=5, sampler=dict(type='DefaultSampler', shuffle=True, seed=0))
det_test_loader = dict(
    batch_size=1, num_workers=2, drop_last=False, sampler=dict(type='DefaultSampler', shuffle=False))
val_part = dict(type='imtnas_mm.ValidationPart')
val_dataloader = dict(
    cls=dict(dataset=dict(pipeline=cls_test_pipeline, num=50_000, **val_part), **cls_test_loader),
    det=dict(dataset=dict(pipeline=det_val_pipeline, num=5000, **val_part), **det_test_loader))
val_evaluator = dict(
    cls=dict(type='Accuracy', topk=(1, 5)),
    det=dict(type='CocoMetric', metric='bbox'))  # it takes the boxes of the images that it sees
test_dataloader = dict(
    cls=dict(
        dataset=dict(type='ImageNet', data_root=imagenet_root, split='val', pipeline=cls_test_pipeline),
        **cls_test_loader),
    det=dict(
        dataset=dict(
            type='CocoDataset',
            data_root=coco_root,
            ann_file='annotations/instances_val2017.json',
            data_prefix=dict(img='val2017/'),
            test_mode=True,
            pipeline=det_test_pipeline),
        **det_test_loader))
test_evaluator = dict(
    cls=dict(type='Accuracy', topk=(1, 5)),
    det=dict(type='CocoMetric', ann_file=coco_root + 'annotations/instances_val2017.json', metric='bbox'))
auto_scale_lr = dict(base_batch_size=dict(cls=1024, det=16))
