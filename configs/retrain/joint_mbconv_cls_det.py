"""The MBConv layers of a BMTAS or MTL-NAS search, trained on ImageNet and COCO together: top-1, top-5, and AP.

Classifier, detector and images are those of mbconv_imagenet.py and mbconv_retinanet_coco.py. An iteration takes 32
images of ImageNet and 2 of COCO on each of 8 GPUs. Training starts from scratch and follows the first config's
schedule; an epoch is one pass over ImageNet. The detector needs the warm-up and the clipping at this rate. The loss is
the sum of both; model.loss_weights weights them.
    python tools/train.py configs/retrain/joint_mbconv_cls_det.py \
        --architecture work_dirs/bmtas_cls_det/architecture.json
"""
_base_ = [
    '../_base_/models/joint_mbconv_cls_det.py', '../_base_/datasets/imagenet_coco_search.py',
    '../_base_/joint_runtime.py'
]
train_dataloader = dict(cls=dict(batch_size=32), det=dict(batch_size=2))
val_dataloader = dict(_base_.test_dataloader, _delete_=True)
val_evaluator = dict(_base_.test_evaluator, _delete_=True)
auto_scale_lr = dict(base_batch_size=dict(cls=256, det=16))
train_cfg = dict(type='JointTrainLoop', max_epochs=300, val_interval=10)
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=.045, momentum=.9, weight_decay=4e-5), clip_grad=dict(max_norm=5.))
param_scheduler = [
    dict(type='LinearLR', start_factor=.001, by_epoch=False, begin=0, end=500),
    dict(type='StepLR', by_epoch=True, step_size=1, gamma=.98),
]
