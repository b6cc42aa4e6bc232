"""MobileNetV2 1.0 on ImageNet, trained from scratch by the recipe of mbconv_imagenet.py: top-1 and top-5."""
_base_ = ['_base_/linear_imagenet.py']
model = dict(backbone=dict(_delete_=True, type='MobileNetV2', widen_factor=1.))
