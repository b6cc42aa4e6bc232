"""cells_cifar100.py at the scale of small_cells_cifar10.py.

The data are data/small/tiny100, 100 classes of Tiny-ImageNet in CIFAR-100's
layout: a stand-in, not CIFAR-100.
"""
_base_ = ['cells_cifar100.py']
small = dict(data_root='data/small/tiny100', check_md5=False)
model = dict(backbone=dict(channels=8, layers=5), head=dict(in_channels=128))
train_dataloader = dict(batch_size=48, num_workers=1, dataset=small)
val_dataloader = dict(batch_size=100, num_workers=1, dataset=small)
test_dataloader = val_dataloader
auto_scale_lr = dict(base_batch_size=48)
train_cfg = dict(max_epochs=6, val_interval=3)
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True)]
