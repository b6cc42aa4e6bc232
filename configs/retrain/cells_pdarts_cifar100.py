"""cells_cifar100.py for P-DARTS (the paper's Table 29; the weight decay is that of E.3, which tells the sets apart)."""
_base_ = ['cells_cifar100.py']
model = dict(backbone=dict(architecture='pdarts', drop_path=.3))
optim_wrapper = dict(optimizer=dict(weight_decay=5e-4))
