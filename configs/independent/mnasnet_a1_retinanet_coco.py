"""MnasNet-A1 as RetinaNet's backbone on COCO, as mbconv_retinanet_coco.py: AP, AP50, AP75, APs, APm, APl.

The backbone starts from the classifier that mnasnet_a1_imagenet.py trains.
"""
_base_ = ['../retrain/mbconv_retinanet_coco.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='imtnas_mm.TIMMPyramid',
        model_name='semnasnet_100',
        out_indices=(2, 3, 4),
        frozen_stages=2,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained', checkpoint='work_dirs/mnasnet_a1_imagenet/epoch_300.pth', prefix='backbone.')),
    neck=dict(in_channels=[40, 112, 320]))
