"""IMTNAS over CIFAR-10 and CIFAR-100 on a cell space (paper 4.4)."""
_base_ = ['imtnas.py']


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
    search_space=dict(type='DARTSSupernet', channels=16, layers=8),
    transfer=dict(image_size=32),
    tasks=dict(
        c10=classifier(10, [125.31, 122.95, 113.87], [62.99, 62.09, 66.70]),
        c100=classifier(100, [129.30, 124.07, 112.43], [68.17, 65.39, 70.42])))
