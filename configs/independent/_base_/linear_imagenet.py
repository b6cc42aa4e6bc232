"""A network of mmpretrain or timm with a linear classifier on ImageNet, from scratch; a config adds the backbone."""
_base_ = ['../../retrain/mbconv_imagenet.py']
model = dict(
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        _delete_=True,
        type='LinearClsHead',
        num_classes=1000,
        in_channels=1280,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.),
        topk=(1, 5)))
