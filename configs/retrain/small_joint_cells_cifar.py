"""joint_cells_cifar.py at the scale of small_cells_cifar10.py, on data/small/cifar10 and data/small/tiny100.

An epoch is one over the 10,000 images of tiny100, as in small_cells_tiny100.py.
    python tools/train.py configs/retrain/small_joint_cells_cifar.py \
        --architecture work_dirs/bmtas_cifar_darts_small/architecture.json
"""
_base_ = ['joint_cells_cifar.py']
narrow = dict(model=dict(head=dict(in_channels=128)))
model = dict(
    backbone=dict(
        architecture='work_dirs/bmtas_cifar_darts_small/architecture.json', channels=8, layers=5),
    tasks=dict(c10=narrow, c100=narrow))
c10 = dict(data_root='data/small/cifar10', check_md5=False)
c100 = dict(data_root='data/small/tiny100', check_md5=False)
loader = dict(batch_size=48, num_workers=1)
test_loader = dict(batch_size=100, num_workers=1)
train_dataloader = dict(c10=dict(dataset=dict(indices=10000, **c10), **loader), c100=dict(dataset=c100, **loader))
val_dataloader = dict(
    c10=dict(dataset=dict(indices=2000, **c10), **test_loader), c100=dict(dataset=c100, **test_loader))
test_dataloader = val_dataloader
auto_scale_lr = dict(base_batch_size=dict(c10=48, c100=48))
train_cfg = dict(max_epochs=6, val_interval=3)
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True)]
