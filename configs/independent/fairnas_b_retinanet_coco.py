"""FairNAS-B as RetinaNet's backbone on COCO, as mbconv_retinanet_coco.py: AP, AP50, AP75, APs, APm, APl.

The backbone starts from the classifier that fairnas_b_imagenet.py trains.
"""
_base_ = ['../retrain/mbconv_retinanet_coco.py']
model = dict(
    backbone=dict(
        architecture='fairnas_b', init_cfg=dict(checkpoint='work_dirs/fairnas_b_imagenet/epoch_300.pth')))
