"""FairNAS-B-SE on ImageNet, trained from scratch: top-1 and top-5."""
_base_ = ['fairnas_b_imagenet.py']
model = dict(backbone=dict(se_ratio=1.))
