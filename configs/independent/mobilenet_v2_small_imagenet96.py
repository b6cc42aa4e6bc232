"""MobileNetV2 0.5 by the recipe of small_imagenet96.py: top-1 and top-5."""
_base_ = ['../retrain/small_imagenet96.py']
model = dict(
    backbone=dict(_delete_=True, type='MobileNetV2', widen_factor=.5),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        _delete_=True,
        type='LinearClsHead',
        num_classes=200,
        in_channels=1280,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.),
        topk=(1, 5)))
