"""MnasNet-A1 on ImageNet, trained from scratch by the recipe of mbconv_imagenet.py: top-1 and top-5."""
_base_ = ['../retrain/mbconv_imagenet.py']
model = dict(
    backbone=dict(_delete_=True, type='TIMMBackbone', model_name='semnasnet_100'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        _delete_=True,
        type='LinearClsHead',
        num_classes=1000,
        in_channels=1280,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.),
        topk=(1, 5)))
