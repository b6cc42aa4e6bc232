"""imagenet_coco_search.py on data/small: 64-pixel images, 200 classes, a few hundred scenes of COCO."""
_base_ = ['imagenet_coco_search.py']
small_root = 'data/small/'
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
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
det_test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(160, 160), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=meta_keys),
]
det_val_pipeline = [*det_test_pipeline[:-1], dict(type='PackDetInputs', meta_keys=(*meta_keys, 'instances'))]
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
    cls=dict(batch_size=100, num_workers=0, dataset=dict(pipeline=cls_test_pipeline, num=2000)),
    det=dict(batch_size=4, num_workers=0, dataset=dict(pipeline=det_val_pipeline, num=100)))
test_dataloader = dict(
    cls=dict(
        batch_size=100, num_workers=0, dataset=dict(data_prefix='val', pipeline=cls_test_pipeline, **cls_data)),
    det=dict(batch_size=4, num_workers=0, dataset=dict(data_root=small_root + 'coco', pipeline=det_test_pipeline)))
test_evaluator = dict(det=dict(ann_file=small_root + 'coco/annotations/instances_val2017.json'))
auto_scale_lr = dict(base_batch_size=dict(cls=32, det=4))
