"""MnasNet-A1 on ImageNet, trained from scratch by the recipe of mbconv_imagenet.py: top-1 and top-5."""
_base_ = ['_base_/linear_imagenet.py']
model = dict(backbone=dict(_delete_=True, type='TIMMBackbone', model_name='semnasnet_100'))
