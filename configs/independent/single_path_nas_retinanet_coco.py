"""Single-Path NAS as RetinaNet's backbone on COCO, as mbconv_retinanet_coco.py: AP, AP50, AP75, APs, APm, APl.

The backbone starts from the classifier that single_path_nas_imagenet.py trains.
"""
_base_ = ['../retrain/mbconv_retinanet_coco.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='imtnas_mm.TIMMPyramid',
        model_name='spnasnet_100',
        out_indices=(2, 3, 4),
        frozen_stages=2,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained', checkpoint='work_dirs/single_path_nas_imagenet/epoch_300.pth', prefix='backbone.')),
    neck=dict(in_channels=[40, 96, 320]))
