"""MixNet-M on ImageNet, trained from scratch by the recipe of mbconv_imagenet.py: top-1 and top-5."""
_base_ = ['_base_/linear_imagenet.py']
model = dict(backbone=dict(_delete_=True, type='TIMMBackbone', model_name='mixnet_m'), head=dict(in_channels=1536))
