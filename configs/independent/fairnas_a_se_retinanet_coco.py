"""FairNAS-A-SE as RetinaNet's backbone on COCO, as mbconv_retinanet_coco.py: AP, AP50, AP75, APs, APm, APl.

The backbone starts from the classifier that fairnas_a_se_imagenet.py trains.
"""
_base_ = ['fairnas_a_retinanet_coco.py']
model = dict(
    backbone=dict(se_ratio=1., init_cfg=dict(checkpoint='work_dirs/fairnas_a_se_imagenet/epoch_300.pth')))
