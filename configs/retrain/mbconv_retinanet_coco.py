"""An MBConv architecture as RetinaNet's backbone on COCO, from its ImageNet weights: AP, AP50, AP75, APs, APm, APl.

RetinaNet as mmdet's 1x schedule has it (8 GPUs of 2 images); the features of
strides 8, 16 and 32 go to the neck. The backbone starts from the classifier of
the same architecture, retrained by mbconv_imagenet.py:
    python tools/train.py configs/retrain/mbconv_retinanet_coco.py \
        --architecture work_dirs/imtnas_cls_det/architecture.json \
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/mbconv_imagenet/epoch_300.pth
"""
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py', 'mmdet::_base_/datasets/coco_detection.py',
    'mmdet::_base_/schedules/schedule_1x.py', '../_base_/detection_runtime.py'
]
model = dict(
    backbone=dict(
        _delete_=True,
        type='imtnas_mm.MBConvNet',
        architecture='fairnas_a',
        out_indices=(1, 3, 5),
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained', checkpoint='work_dirs/mbconv_imagenet/epoch_300.pth', prefix='backbone.')),
    neck=dict(in_channels=[40, 96, 320], start_level=0))
optim_wrapper = dict(optimizer=dict(type='SGD', lr=.01, momentum=.9, weight_decay=.0001))
train_cfg = dict(type='imtnas_mm.RetrainLoop')
