"""A cell of NAS-Bench-201 at the benchmark's size: 3 stages of 5 cells, 16 channels."""
model = dict(
    type='ImageClassifier',
    backbone=dict(type='imtnas_mm.NASBench201Net', architecture='nasbench201_best_cifar100', channels=16, cells=5),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=64,  # 4 times the backbone's channels
        loss=dict(type='CrossEntropyLoss', loss_weight=1.)))
