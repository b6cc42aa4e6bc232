"""Single-Path NAS as RetinaNet's backbone on COCO, as mbconv_retinanet_coco.py: AP, AP50, AP75, APs, APm, APl.

The backbone starts from the classifier that single_path_nas_imagenet.py trains.
"""
_base_ = ['_base_/timm_retinanet_coco.py']
model = dict(
    backbone=dict(
        model_name='spnasnet_100', init_cfg=dict(checkpoint='work_dirs/single_path_nas_imagenet/epoch_300.pth')),
    neck=dict(in_channels=[40, 96, 320]))
