"""FairNAS-A on ImageNet, trained from scratch: top-1 and top-5."""
_base_ = ['../retrain/mbconv_imagenet.py']
model = dict(backbone=dict(architecture='fairnas_a'))
