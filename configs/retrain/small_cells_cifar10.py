"""cells_cifar10.py at the scale of minutes on two CPU cores: narrow cells, few epochs, a part of the images.

The data are data/small/cifar10, real images in CIFAR-10's layout that needn't
be the official files.
"""
_base_ = ['cells_cifar10.py']
small = dict(data_root='data/small/cifar10', check_md5=False)
model = dict(backbone=dict(channels=8, layers=5), head=dict(in_channels=128))
train_dataloader = dict(batch_size=48, num_workers=1, dataset=dict(indices=10000, **small))
val_dataloader = dict(batch_size=100, num_workers=1, dataset=dict(indices=2000, **small))
test_dataloader = val_dataloader
auto_scale_lr = dict(base_batch_size=48)
train_cfg = dict(max_epochs=6, val_interval=3)
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True)]
