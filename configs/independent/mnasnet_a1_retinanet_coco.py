"""MnasNet-A1 as RetinaNet's backbone on COCO, as mbconv_retinanet_coco.py: AP, AP50, AP75, APs, APm, APl.

The backbone starts from the classifier that mnasnet_a1_imagenet.py trains.
"""
_base_ = ['_base_/timm_retinanet_coco.py']
model = dict(
    backbone=dict(
        model_name='semnasnet_100', init_cfg=dict(checkpoint='work_dirs/mnasnet_a1_imagenet/epoch_300.pth')),
    neck=dict(in_channels=[40, 112, 320]))
