# An architecture trained to detect digits in scenes, with RetinaNet on an FPN: a demonstration of retraining
#
# To start from the backbone of a classifier of the same architecture, as the paper does, with far better results in so
# few epochs:
#   --cfg-options model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.prefix=backbone. \
#       model.backbone.init_cfg.checkpoint=work_dirs/demo_classification/epoch_12.pth
_base_ = ['../_base_/datasets/demo_detection.py', '../_base_/detection_runtime.py']

model = dict(
    type='RetinaNet',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[64., 64., 64.],
        bgr_to_rgb=True,
        pad_size_divisor=16),
    backbone=dict(
        type='imtnas_mm.MBConvNet',
        architecture='fairnas_c',
        width_mult=.25,
        stem_stride=2,
        strides=(1, 2, 2, 1, 2, 1),
        out_indices=(3, 5)),
    neck=dict(type='FPN', in_channels=[24, 80], out_channels=64, num_outs=2),
    bbox_head=dict(
        type='RetinaHead',
        num_classes=10,
        in_channels=64,
        feat_channels=64,
        stacked_convs=2,
        anchor_generator=dict(
            type='AnchorGenerator',
            octave_base_scale=1.75,
            scales_per_octave=2,
            ratios=[1., 1.6],  # height over width of a digit
            strides=[8, 16]),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_means=[0., 0., 0., 0.], target_stds=[1., 1., 1., 1.]),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2., alpha=.25, loss_weight=1.),
        loss_bbox=dict(type='L1Loss', loss_weight=1.)),
    train_cfg=dict(
        assigner=dict(type='MaxIoUAssigner', pos_iou_thr=.5, neg_iou_thr=.4, min_pos_iou=0., ignore_iof_thr=-1),
        sampler=dict(type='PseudoSampler'),
        allowed_border=-1,
        pos_weight=-1,
        debug=False),
    test_cfg=dict(
        nms_pre=300, min_bbox_size=0, score_thr=.05, nms=dict(type='nms', iou_threshold=.5), max_per_img=50))

max_epochs = 9
train_cfg = dict(type='imtnas_mm.RetrainLoop', max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=.05),
    paramwise_cfg=dict(norm_decay_mult=0., bias_decay_mult=0.),
    clip_grad=dict(max_norm=5.))
param_scheduler = [
    dict(type='LinearLR', start_factor=.01, by_epoch=False, begin=0, end=75),
    dict(type='CosineAnnealingLR', eta_min_ratio=.01, by_epoch=True, convert_to_iter_based=True),
]

default_hooks = dict(logger=dict(interval=25), checkpoint=dict(interval=max_epochs))
auto_scale_lr = dict(base_batch_size=8)
