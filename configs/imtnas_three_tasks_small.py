"""imtnas_three_tasks.py at the scale of imtnas_cifar_darts_small.py; ImageNet is data/small/imagenet, 200 classes."""
_base_ = ['imtnas_cifar_pcdarts_small.py']
model = dict(
    tasks=dict(
        imagenet=dict(
            type='ClassificationTask',
            backbone=dict(stem_stride=4),
            model=dict(
                type='ImageClassifier',
                data_preprocessor=dict(
                    num_classes=200, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(
                    type='LinearClsHead',
                    num_classes=200,
                    in_channels=128,
                    loss=dict(type='CrossEntropyLoss', loss_weight=1.))))))
imagenet_train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=64, padding=6, padding_mode='reflect'),
    dict(type='RandomFlip', prob=.5, direction='horizontal'),
    dict(type='PackInputs'),
]
imagenet_test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
imagenet = dict(type='CustomDataset', data_root='data/small/imagenet')
train_dataloader = dict(
    imagenet=dict(
        batch_size=32,
        num_workers=0,
        persistent_workers=False,
        dataset=dict(data_prefix='train', pipeline=imagenet_train_pipeline, **imagenet)))
# folders go by class; batch statistics of one class would mislead the search network
test_loader = dict(
    batch_size=100, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True, seed=0))
val_dataloader = dict(
    imagenet=dict(
        dataset=dict(type='imtnas_mm.ValidationPart', num=1000, pipeline=imagenet_test_pipeline), **test_loader))
val_evaluator = dict(imagenet=dict(type='Accuracy', topk=(1, 5)))
test_dataloader = dict(
    imagenet=dict(
        dataset=dict(
            type='imtnas_mm.DatasetSlice',
            num=1000,
            dataset=dict(data_prefix='val', pipeline=imagenet_test_pipeline, **imagenet)),
        **test_loader))
test_evaluator = val_evaluator
auto_scale_lr = dict(base_batch_size=dict(imagenet=32))
train_cfg = dict(order=('c100', 'c10', 'imagenet'), split=dict(tasks=dict(imagenet=dict(train=.4, val=.1))))
