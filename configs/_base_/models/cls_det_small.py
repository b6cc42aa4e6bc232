"""The heads of the small classification and detection: for networks of width .35, 200 classes and 160-pixel scenes."""
small_tasks = dict(
    cls=dict(
        model=dict(
            data_preprocessor=dict(num_classes=200),
            head=dict(num_classes=200, in_channels=112, hidden_channels=448))),
    det=dict(
        model=dict(
            data_preprocessor=dict(pad_size_divisor=16),
            neck=dict(in_channels=[16, 32, 112], out_channels=64),
            bbox_head=dict(
                in_channels=64,
                feat_channels=64,
                stacked_convs=2,
                anchor_generator=dict(strides=[4, 8, 16, 32, 64])))))
