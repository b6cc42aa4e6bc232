"""MixNet-M as RetinaNet's backbone on COCO, as mbconv_retinanet_coco.py: AP, AP50, AP75, APs, APm, APl.

The backbone starts from the classifier that mixnet_m_imagenet.py trains.
"""
_base_ = ['_base_/timm_retinanet_coco.py']
model = dict(
    backbone=dict(
        model_name='mixnet_m', init_cfg=dict(checkpoint='work_dirs/mixnet_m_imagenet/epoch_300.pth')),
    neck=dict(in_channels=[40, 120, 200]))
