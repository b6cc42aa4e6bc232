# The architecture of configs/imtnas_digits.py, trained to classify single digits
_base_ = ['demo_classification.py', '../_base_/models/digits_space.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='imtnas_mm.MBConvNet',
        architecture=_base_.digits_architecture),
    head=dict(in_channels=64))

gray = dict(type='RandomGrayscale', prob=1., keep_channels=True)  # as in the search
train_pipeline = [_base_.train_pipeline[0], gray, *_base_.train_pipeline[1:]]
test_pipeline = [_base_.test_pipeline[0], gray, *_base_.test_pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

max_epochs = 8
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=.01, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', eta_min_ratio=.01, by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(interval=max_epochs))
