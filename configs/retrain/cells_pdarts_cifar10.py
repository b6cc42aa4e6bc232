"""cells_cifar10.py for P-DARTS (the paper's Table 29)."""
_base_ = ['cells_cifar10.py']
model = dict(backbone=dict(architecture='pdarts', drop_path=.3))
