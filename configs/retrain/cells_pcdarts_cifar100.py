"""cells_cifar100.py for PC-DARTS (the paper's Table 30)."""
_base_ = ['cells_cifar100.py']
model = dict(backbone=dict(architecture='pc_darts_cifar', drop_path=.3))
