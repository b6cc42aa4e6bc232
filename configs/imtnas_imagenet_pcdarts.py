"""IMTNAS with PC-DARTS's search on ImageNet (paper E.2), 8 GPUs of 128 images.

Half of the channels go through the operations, on images of 224 pixels that three convolutions shrink to 28. As in
Appendix B, which follows PC-DARTS there, D^tr and D^val are 10 % and 2.5 % of the images. ImageNet is the only task,
which teaches itself from round to round: CIFAR's tasks have another stem, and all tasks have one encoder. PC-DARTS
itself is
    --cfg-options model.type=SingleTask model.hypergradient=first_order model.loss_normalization=none
E.2 has 250 epochs. PC-DARTS's paper has 50, of which the first 35 freeze A, too:
    --cfg-options train_cfg.max_epochs=50
The clipping is Table 26's, the images' augmentation PC-DARTS's; E.2 has neither.
"""
_base_ = ['_base_/search_runtime.py', '_base_/models/imtnas.py', '_base_/schedules/imtnas_cifar_50e.py']
model = dict(
    recompute='views',
    search_space=dict(type='PCDARTSSupernet', channels=16, layers=8, part=2, stem='imagenet'),
    transfer=dict(image_size=224),
    tasks=dict(
        imagenet=dict(
            type='ClassificationTask',
            model=dict(
                type='ImageClassifier',
                data_preprocessor=dict(
                    num_classes=1000, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(
                    type='LinearClsHead',
                    num_classes=1000,
                    in_channels=256,  # 16 times the space's channels
                    loss=dict(type='CrossEntropyLoss', loss_weight=1.))))))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=224),
    dict(type='RandomFlip', prob=.5, direction='horizontal'),
    dict(type='ColorJitter', brightness=.4, contrast=.4, saturation=.4, hue=.2),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=256, edge='short'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]
imagenet = dict(type='ImageNet', data_root='data/imagenet/')
# folders go by class; batch statistics of one class would mislead the search network
test_loader = dict(
    batch_size=128, num_workers=5, sampler=dict(type='DefaultSampler', shuffle=True, seed=0))
train_dataloader = dict(
    imagenet=dict(
        batch_size=128,
        num_workers=5,
        persistent_workers=True,
        collate_fn=dict(type='default_collate'),  # workers hand over one tensor, not 128
        dataset=dict(split='train', pipeline=train_pipeline, **imagenet)))
val_dataloader = dict(
    imagenet=dict(dataset=dict(type='imtnas_mm.ValidationPart', pipeline=test_pipeline), **test_loader))
val_evaluator = dict(imagenet=dict(type='Accuracy', topk=(1, 5)))
test_dataloader = dict(imagenet=dict(dataset=dict(split='val', pipeline=test_pipeline, **imagenet), **test_loader))
test_evaluator = val_evaluator
auto_scale_lr = dict(base_batch_size=dict(imagenet=1024))
train_cfg = dict(
    order=('imagenet', ), max_epochs=250, warmup_epochs=35, split=dict(ratio=None, train=.1, val=.025))
sgd = dict(optimizer=dict(lr=.5, weight_decay=3e-5))
optim_wrapper = dict(encoder=sgd, head=sgd, architecture=dict(optimizer=dict(lr=6e-3)))
cosine = dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True, convert_to_iter_based=True)
param_scheduler = dict(encoder=[cosine], head=[cosine])  # A's rate is constant
