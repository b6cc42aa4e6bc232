"""IMTNAS over ImageNet classification and COCO detection on the MBConv space (paper 4.3)."""
_base_ = ['imtnas.py']
search_norm = dict(type='BN', affine=False, track_running_stats=False)  # reading 8: batch statistics, no affine
model = dict(
    # paper: "19 layers and each layer contains 7 choices", docs/readings.md says which
    search_space=dict(type='MBConvSupernet', layout='fairnas19', estimator='two_path', norm_cfg=search_norm),
    # not given by the paper; docs/gpu.md has the memory of 400 images in both encoders
    transfer=dict(image_size=112),
    tasks=dict(
        cls=dict(
            type='ClassificationTask',
            model=dict(
                type='ImageClassifier',
                data_preprocessor=dict(
                    num_classes=1000, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True),
                head=dict(type='imtnas_mm.ImageNetHead', num_classes=1000, in_channels=320, norm_cfg=search_norm))),
        det=dict(
            type='DetectionTask',
            backbone=dict(out_indices=(1, 3, 5)),
            model=dict(
                type='RetinaNet',
                data_preprocessor=dict(
                    type='DetDataPreprocessor',
                    mean=[123.675, 116.28, 103.53],
                    std=[58.395, 57.12, 57.375],
                    bgr_to_rgb=True,
                    pad_size_divisor=32),
                neck=dict(
                    type='FPN',
                    in_channels=[40, 96, 320],
                    out_channels=256,
                    add_extra_convs='on_input',
                    num_outs=5),
                bbox_head=dict(
                    type='RetinaHead',
                    num_classes=80,
                    in_channels=256,
                    stacked_convs=4,
                    feat_channels=256,
                    anchor_generator=dict(
                        type='AnchorGenerator',
                        octave_base_scale=4,
                        scales_per_octave=3,
                        ratios=[.5, 1., 2.],
                        strides=[8, 16, 32, 64, 128]),
                    bbox_coder=dict(
                        type='DeltaXYWHBBoxCoder', target_means=[0., 0., 0., 0.], target_stds=[1., 1., 1., 1.]),
                    loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2., alpha=.25, loss_weight=1.),
                    loss_bbox=dict(type='L1Loss', loss_weight=1.)),
                train_cfg=dict(
                    assigner=dict(
                        type='MaxIoUAssigner', pos_iou_thr=.5, neg_iou_thr=.4, min_pos_iou=0, ignore_iof_thr=-1),
                    sampler=dict(type='PseudoSampler'),
                    allowed_border=-1,
                    pos_weight=-1,
                    debug=False),
                test_cfg=dict(
                    nms_pre=1000,
                    min_bbox_size=0,
                    score_thr=.05,
                    nms=dict(type='nms', iou_threshold=.5),
                    max_per_img=100)))))
