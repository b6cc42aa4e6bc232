"""An MBConv architecture trained to classify data of your own, from scratch: docs/your_own_data.md.

A config that inherits this one has the field task_data with the task cls; --architecture names the architecture.
"""
_base_ = ['../_base_/classification_runtime.py']
data_task = 'cls'
data_preprocessor = dict(
    num_classes=None, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
model = dict(
    type='ImageClassifier',
    backbone=dict(type='imtnas_mm.MBConvNet', architecture=None),
    head=dict(type='imtnas_mm.ImageNetHead', num_classes=None, in_channels=None))
train_cfg = dict(type='imtnas_mm.RetrainLoop', max_epochs=100, val_interval=5)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=.05, momentum=.9, nesterov=True, weight_decay=1e-4),
    paramwise_cfg=dict(norm_decay_mult=0., bias_decay_mult=0.))
param_scheduler = [
    dict(type='LinearLR', start_factor=.01, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min_ratio=.01, by_epoch=True, convert_to_iter_based=True),
]
