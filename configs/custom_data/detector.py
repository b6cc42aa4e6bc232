"""RetinaNet on the backbone of classifier.py, trained to detect in data of your own: docs/your_own_data.md.

A config that inherits this one has the field task_data with the task det, and names the classifier's checkpoint in
model.backbone.init_cfg.checkpoint; its architecture is taken, too. From scratch: init_cfg=None and --architecture.
"""
_base_ = ['mmdet::_base_/models/retinanet_r50_fpn.py', '../_base_/detection_runtime.py']
data_task = 'det'
model = dict(
    backbone=dict(
        _delete_=True,
        type='imtnas_mm.MBConvNet',
        architecture=None,
        out_indices=(1, 3, 5),
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/classifier/epoch_100.pth', prefix='backbone.')),
    neck=dict(in_channels=None, start_level=0),
    bbox_head=dict(num_classes=None, in_channels=None))
train_cfg = dict(type='imtnas_mm.RetrainLoop', max_epochs=50, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=.05),
    paramwise_cfg=dict(norm_decay_mult=0., bias_decay_mult=0.),
    clip_grad=dict(max_norm=5.))
param_scheduler = [
    dict(type='LinearLR', start_factor=.01, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min_ratio=.01, by_epoch=True, convert_to_iter_based=True),
]
