"""imtnas_cifar_nasbench201.py at a scale of minutes on one CPU core: 300 iterations of 8 channels, one cell per stage.

The data are data/small/cifar10 and data/small/tiny100, real images in the
layouts of CIFAR, shrunk to 16x16. The second is 100 classes of Tiny-ImageNet: a
stand-in, not CIFAR-100.
"""
_base_ = ['imtnas_cifar_nasbench201.py']
narrow = dict(model=dict(head=dict(in_channels=32)))
model = dict(
    recompute='none',
    keep_graphs=True,
    search_space=dict(channels=8, cells=1),
    encoder_weights=dict(stage_std=.1),  # that of the published runs; more is no better (docs/evidence.md)
    transfer=dict(num_examples=8, num_augmentations=8, image_size=16),
    tasks=dict(c10=narrow, c100=narrow))
train_pipeline = [
    dict(type='RandomCrop', crop_size=16, padding=2),
    dict(type='RandomFlip', prob=.5, direction='horizontal'),
    dict(type='PackInputs'),
]
# 32 images take the main process less time than a worker's hand-over
loader = dict(batch_size=32, num_workers=0, persistent_workers=False)
test_loader = dict(batch_size=500, num_workers=0)
small = dict(check_md5=False, image_size=16, serialize_data=False)  # no workers share the data, so nothing is pickled
c10 = dict(data_root='data/small/cifar10', **small)
c100 = dict(data_root='data/small/tiny100', **small)
train_dataloader = dict(
    c10=dict(dataset=dict(pipeline=train_pipeline, **c10), **loader),
    c100=dict(dataset=dict(pipeline=train_pipeline, **c100), **loader))
test_dataloader = dict(
    c10=dict(dataset=dict(indices=500, **c10), **test_loader),
    c100=dict(dataset=dict(indices=500, **c100), **test_loader))
# on test images, which judge nothing here: cells are looked up, and the runs that are recorded stay valid
val_dataloader = dict(
    c10=dict(dataset=dict(_base_.test_dataloader.c10.dataset, indices=500, _delete_=True, **c10), **test_loader),
    c100=dict(dataset=dict(_base_.test_dataloader.c100.dataset, indices=500, _delete_=True, **c100), **test_loader))
auto_scale_lr = dict(base_batch_size=dict(c10=32, c100=32))
max_epochs = 6
train_cfg = dict(max_epochs=max_epochs, epoch_length=50, val_interval=max_epochs)
# So few iterations need higher rates: at those of the full config the loss on 100 classes stays near that of chance,
# and A near uniform. The rate of A falls, too, so that its last steps settle.
# Stored weights take .1. The hypernetwork, whose steps move all generated weights, learns as fast at .02.
optim_wrapper = dict(
    encoder=dict(optimizer=dict(lr=.02)),
    head=dict(optimizer=dict(lr=.1)),
    architecture=dict(optimizer=dict(lr=.03)))
cosine = dict(type='CosineAnnealingLR', eta_min=.001, by_epoch=True, convert_to_iter_based=True)
param_scheduler = dict(encoder=[cosine], head=[cosine], architecture=[dict(cosine, eta_min=0.)])
# a checkpoint, with its picture and the text of the config, takes as long as ten iterations
default_hooks = dict(
    logger=dict(interval=10), architecture=dict(interval=50), checkpoint=dict(interval=max_epochs))
log_processor = dict(window_size=10)
