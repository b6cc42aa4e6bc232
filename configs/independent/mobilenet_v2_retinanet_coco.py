"""MobileNetV2 1.0 as RetinaNet's backbone on COCO, as mbconv_retinanet_coco.py: AP, AP50, AP75, APs, APm, APl.

The backbone starts from the classifier that mobilenet_v2_imagenet.py trains.
"""
_base_ = ['../retrain/mbconv_retinanet_coco.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.MobileNetV2',
        out_indices=(2, 4, 7),  # the last after the 1x1 convolution: no weight is idle
        frozen_stages=2,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained', checkpoint='work_dirs/mobilenet_v2_imagenet/epoch_300.pth', prefix='backbone.')),
    neck=dict(in_channels=[32, 96, 1280]))
