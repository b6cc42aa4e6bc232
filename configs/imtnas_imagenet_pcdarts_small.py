"""imtnas_imagenet_pcdarts.py at a scale of minutes on two CPU cores: data/small/imagenet, 200 classes of 64 pixels."""
_base_ = ['imtnas_imagenet_pcdarts.py']
model = dict(
    recompute='none',
    search_space=dict(channels=8, layers=4),
    transfer=dict(num_examples=6, num_augmentations=6, image_size=64),
    tasks=dict(
        imagenet=dict(
            model=dict(data_preprocessor=dict(num_classes=200), head=dict(num_classes=200, in_channels=128)))))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=64, padding=6, padding_mode='reflect'),
    dict(type='RandomFlip', prob=.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
imagenet = dict(type='CustomDataset', data_root='data/small/imagenet', _delete_=True)
train_dataloader = dict(
    imagenet=dict(
        batch_size=32,
        num_workers=0,
        persistent_workers=False,
        dataset=dict(data_prefix='train', pipeline=train_pipeline, **imagenet)))
test_loader = dict(batch_size=100, num_workers=0)
val_dataloader = dict(imagenet=dict(dataset=dict(pipeline=test_pipeline, num=1000), **test_loader))
test_dataloader = dict(
    imagenet=dict(dataset=dict(data_prefix='val', pipeline=test_pipeline, **imagenet), **test_loader))
auto_scale_lr = dict(base_batch_size=dict(imagenet=32))
train_cfg = dict(
    max_epochs=4, epoch_length=25, warmup_epochs=1, val_interval=4, split=dict(train=.4, val=.1))
sgd = dict(optimizer=dict(lr=.05))
optim_wrapper = dict(encoder=sgd, head=sgd)
cosine = dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True, convert_to_iter_based=True)
param_scheduler = dict(encoder=[cosine], head=[cosine])
default_hooks = dict(logger=dict(interval=5), architecture=dict(interval=25))
log_processor = dict(window_size=5)
