"""MobileNetV3-Large 1.0 on ImageNet, trained from scratch by the recipe of mbconv_imagenet.py: top-1 and top-5."""
_base_ = ['../retrain/mbconv_imagenet.py']
model = dict(
    backbone=dict(_delete_=True, type='MobileNetV3', arch='large'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        _delete_=True,
        type='StackedLinearClsHead',
        num_classes=1000,
        in_channels=960,
        mid_channels=[1280],
        dropout_rate=.2,
        act_cfg=dict(type='HSwish'),
        loss=dict(type='CrossEntropyLoss', loss_weight=1.),
        init_cfg=dict(type='Normal', layer='Linear', mean=0., std=.01, bias=0.),
        topk=(1, 5)))
