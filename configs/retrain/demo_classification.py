# An architecture trained to classify single digits: a demonstration of retraining
_base_ = ['../_base_/datasets/demo_classification.py', '../_base_/classification_runtime.py']

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='imtnas_mm.MBConvNet',
        architecture='fairnas_c',
        width_mult=.25,
        stem_stride=2,
        strides=(1, 2, 2, 1, 2, 1)),
    head=dict(type='imtnas_mm.ImageNetHead', num_classes=10, in_channels=80, hidden_channels=256, topk=(1, 5)))

max_epochs = 12
train_cfg = dict(type='imtnas_mm.RetrainLoop', max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict()
test_cfg = dict()

optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=.05, momentum=.9, nesterov=True, weight_decay=5e-4),
    paramwise_cfg=dict(norm_decay_mult=0., bias_decay_mult=0.))
param_scheduler = [
    dict(type='LinearLR', start_factor=.01, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', eta_min_ratio=.01, by_epoch=True, convert_to_iter_based=True),
]

default_hooks = dict(logger=dict(interval=25), checkpoint=dict(interval=max_epochs))
auto_scale_lr = dict(base_batch_size=24)
