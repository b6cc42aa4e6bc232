"""The search of imtnas_cls_det.py at a scale of minutes on two CPU cores: 64-pixel images, 200 classes, a few hundred
scenes of COCO.

Data in the same layouts under data/small: link or copy them there.
"""
_base_ = [
    '_base_/search_runtime.py', '_base_/models/imtnas_mbconv_cls_det.py', '_base_/models/cls_det_small.py',
    '_base_/datasets/imagenet_coco_small.py', '_base_/schedules/imtnas_40e.py'
]
model = dict(
    search_space=dict(width_mult=.35, stem_stride=2, strides=(1, 2, 2, 1, 2, 1)),
    transfer=dict(num_examples=12, num_augmentations=12, image_size=48),
    hypergradient='first_order',
    tasks=_base_.small_tasks)
train_cfg = dict(rounds=2, max_epochs=4, epoch_length=30, warmup_epochs=1, val_interval=4)
cosine = dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True, convert_to_iter_based=True)
param_scheduler = dict(encoder=[cosine], head=[cosine])
default_hooks = dict(logger=dict(interval=10), architecture=dict(interval=30))
log_processor = dict(window_size=10)
