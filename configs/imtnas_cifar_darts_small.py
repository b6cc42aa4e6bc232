"""imtnas_cifar_darts.py at a scale of minutes on two CPU cores: narrow cells on half the resolution, few iterations.

The data are data/small/cifar10 and data/small/tiny100, real images in the
layouts of CIFAR. The second is 100 classes of Tiny-ImageNet: a stand-in, not
CIFAR-100.
"""
_base_ = ['imtnas_cifar_darts.py']
narrow = dict(model=dict(head=dict(in_channels=128)))
model = dict(
    recompute='none',
    search_space=dict(channels=8, layers=4, stem_stride=2),
    transfer=dict(num_examples=6, num_augmentations=6),
    tasks=dict(c10=narrow, c100=narrow))
loader = dict(batch_size=32, num_workers=0, persistent_workers=False)
test_loader = dict(batch_size=100, num_workers=0)
c10 = dict(data_root='data/small/cifar10', check_md5=False)
c100 = dict(data_root='data/small/tiny100', check_md5=False)
train_dataloader = dict(c10=dict(dataset=c10, **loader), c100=dict(dataset=c100, **loader))
val_dataloader = dict(
    c10=dict(dataset=dict(num=1000), **test_loader), c100=dict(dataset=dict(num=1000), **test_loader))
test_dataloader = dict(
    c10=dict(dataset=dict(indices=1000, **c10), **test_loader),
    c100=dict(dataset=dict(indices=1000, **c100), **test_loader))
auto_scale_lr = dict(base_batch_size=dict(c10=32, c100=32))
train_cfg = dict(max_epochs=4, epoch_length=25, warmup_epochs=1, val_interval=4)
optim_wrapper = dict(architecture=dict(optimizer=dict(lr=3e-3)))
cosine = dict(type='CosineAnnealingLR', eta_min=.001, by_epoch=True, convert_to_iter_based=True)
param_scheduler = dict(encoder=[cosine], head=[cosine])
default_hooks = dict(logger=dict(interval=5), architecture=dict(interval=25))
log_processor = dict(window_size=5)
