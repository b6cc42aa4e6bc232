"""joint_mbconv_cls_det.py at the scale of imtnas_cls_det_small.py.

Three epochs over the 20,000 images of ImageNet are about fifteen over COCO's scenes.
    python tools/train.py configs/retrain/small_joint_cls_det.py \
        --architecture work_dirs/bmtas_cls_det_small/architecture.json
"""
_base_ = [
    '../_base_/models/joint_mbconv_cls_det.py', '../_base_/models/cls_det_small.py',
    '../_base_/datasets/imagenet_coco_small.py', '../_base_/joint_runtime.py'
]
model = dict(
    backbone=dict(
        architecture='work_dirs/bmtas_cls_det_small/architecture.json',
        width_mult=.35,
        stem_stride=2,
        strides=(1, 2, 2, 1, 2, 1)),
    tasks=_base_.small_tasks)
workers = dict(num_workers=1)
train_dataloader = dict(cls=dict(batch_size=64, **workers), det=dict(batch_size=8, **workers))
test_dataloader = dict(cls=workers, det=workers)
val_dataloader = {task: dict(_base_.test_dataloader[task], **workers, _delete_=True) for task in ('cls', 'det')}
val_evaluator = dict(_base_.test_evaluator, _delete_=True)
auto_scale_lr = dict(base_batch_size=dict(cls=64, det=8))
train_cfg = dict(type='JointTrainLoop', max_epochs=3, val_interval=3)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-3, weight_decay=.05), clip_grad=dict(max_norm=5.))
param_scheduler = [
    dict(type='LinearLR', start_factor=.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(logger=dict(interval=20))
