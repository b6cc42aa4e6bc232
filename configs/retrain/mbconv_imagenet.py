"""An MBConv architecture trained on ImageNet from scratch: top-1 and top-5.

The paper gives no recipe for this retraining; the schedule is that of
mmpretrain's MobileNetV2 (8 GPUs of 32 images).
    python tools/train.py configs/retrain/mbconv_imagenet.py --architecture work_dirs/imtnas_cls_det/architecture.json
"""
_base_ = [
    'mmpretrain::_base_/datasets/imagenet_bs32_pil_resize.py',
    'mmpretrain::_base_/schedules/imagenet_bs256_epochstep.py',
    '../_base_/classification_runtime.py'
]
model = dict(
    type='ImageClassifier',
    backbone=dict(type='imtnas_mm.MBConvNet', architecture='fairnas_a'),
    head=dict(type='imtnas_mm.ImageNetHead', num_classes=1000, in_channels=320, topk=(1, 5)))
train_cfg = dict(_delete_=True, type='imtnas_mm.RetrainLoop', max_epochs=300, val_interval=1)
