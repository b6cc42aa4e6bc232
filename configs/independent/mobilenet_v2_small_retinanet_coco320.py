"""MobileNetV2 0.5 as the backbone of small_retinanet_coco320.py: AP, AP50, AP75, APs, APm, APl.

The backbone starts from the classifier that mobilenet_v2_small_imagenet96.py trains.
"""
_base_ = ['../retrain/small_retinanet_coco320.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.MobileNetV2',
        widen_factor=.5,
        out_indices=(2, 4, 7),
        norm_eval=False,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/mobilenet_v2_small_imagenet96/epoch_6.pth',
            prefix='backbone.')),
    neck=dict(in_channels=[16, 48, 1280]))
