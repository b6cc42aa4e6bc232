"""IMTNAS over CIFAR-10 and CIFAR-100 on a cell space (paper 4.4)."""


def classifier(num_classes, mean, std):
    return dict(
        type='ClassificationTask',
        model=dict(
            type='ImageClassifier',
            data_preprocessor=dict(num_classes=num_classes, mean=mean, std=std, to_rgb=False),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(
                type='LinearClsHead',
                num_classes=num_classes,
                in_channels=256,  # 16 times the space's channels
                loss=dict(type='CrossEntropyLoss', loss_weight=1.))))


model = dict(
    type='IMTNAS',
    search_space=dict(type='DARTSSupernet', channels=16, layers=8),
    encoder_weights=dict(type='HyperNetwork', hidden=(30, 50), sub_vector=100, index_encoding='embedding'),
    transfer=dict(
        type='MMDTransfer',
        num_examples=20,
        num_augmentations=20,
        threshold=5.,
        kernel_scale=.1,
        statistic='scaled',  # reading 1; 'plain' is Eq. 3 to the letter
        image_size=32),
    encoder_task_weight=0.,  # reading 2
    hypernetwork_step='iteration',  # reading 11
    hypergradient='exact',
    loss_normalization='running_mean',  # reading 6
    architecture=dict(init_std=1e-3),  # reading 10
    tasks=dict(
        c10=classifier(10, [125.31, 122.95, 113.87], [62.99, 62.09, 66.70]),
        c100=classifier(100, [129.30, 124.07, 112.43], [68.17, 65.39, 70.42])))
