"""IMTNAS over CIFAR-100, CIFAR-10 and ImageNet on the PC-DARTS space (paper Appendix B), 2 rounds.

ImageNet "shares the same encoder architecture": all tasks have the stem of CIFAR, with stride 2 on ImageNet's images
at 64 pixels, so that cells see 32 pixels of every task. As there, D^tr and D^val of ImageNet are 10 % and 2.5 % of its
images, beside 25,000 and 25,000 of each CIFAR. The appendix refers to PC-DARTS on 224 pixels with a stem of its own
(search_space.stem='imagenet'), which tasks of one encoder can't have beside that of CIFAR; imtnas_imagenet_pcdarts.py
has it for ImageNet alone. The lambda of 100 there is in none of the method's equations; it is read as gamma, the weight
of MTL-SWS (4.4.1), and so is an option of that row alone.
"""
_base_ = ['imtnas_cifar_pcdarts.py']
model = dict(
    tasks=dict(
        imagenet=dict(
            type='ClassificationTask',
            backbone=dict(stem_stride=2),
            model=dict(
                type='ImageClassifier',
                data_preprocessor=dict(
                    num_classes=1000, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(
                    type='LinearClsHead',
                    num_classes=1000,
                    in_channels=256,
                    loss=dict(type='CrossEntropyLoss', loss_weight=1.))))))
imagenet_train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=64),
    dict(type='RandomFlip', prob=.5, direction='horizontal'),
    dict(type='PackInputs'),
]
imagenet_test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=72, edge='short'),
    dict(type='CenterCrop', crop_size=64),
    dict(type='PackInputs'),
]
imagenet = dict(type='ImageNet', data_root='data/imagenet/')
train_dataloader = dict(
    imagenet=dict(
        batch_size=64,
        num_workers=4,
        persistent_workers=True,
        dataset=dict(split='train', pipeline=imagenet_train_pipeline, **imagenet)))
# folders go by class; batch statistics of one class would mislead the search network
test_loader = dict(
    batch_size=100, num_workers=4, sampler=dict(type='DefaultSampler', shuffle=True, seed=0))
val_dataloader = dict(
    imagenet=dict(dataset=dict(type='imtnas_mm.ValidationPart', pipeline=imagenet_test_pipeline), **test_loader))
val_evaluator = dict(imagenet=dict(type='Accuracy', topk=(1, 5)))
test_dataloader = dict(
    imagenet=dict(dataset=dict(split='val', pipeline=imagenet_test_pipeline, **imagenet), **test_loader))
test_evaluator = val_evaluator
auto_scale_lr = dict(base_batch_size=dict(imagenet=64))
train_cfg = dict(order=('c100', 'c10', 'imagenet'), split=dict(tasks=dict(imagenet=dict(train=.1, val=.025))))
