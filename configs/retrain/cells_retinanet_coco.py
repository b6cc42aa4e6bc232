"""A cell architecture as RetinaNet's backbone on COCO, from its ImageNet weights.

RetinaNet as in mbconv_retinanet_coco.py (8 GPUs of 2 images); the three stages
have strides 8, 16 and 32. The backbone starts from the classifier of the same
architecture, retrained by cells_imagenet.py:
    python tools/train.py configs/retrain/cells_retinanet_coco.py --architecture darts_v2 \
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/cells_imagenet/epoch_250.pth
"""
_base_ = ['mbconv_retinanet_coco.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='imtnas_mm.CellNet',
        architecture='darts_v2',
        channels=48,
        layers=14,
        stem='imagenet',
        out_indices=(0, 1, 2),
        frozen_stages=0,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained', checkpoint='work_dirs/cells_imagenet/epoch_250.pth', prefix='backbone.')),
    neck=dict(in_channels=[192, 384, 768]))
