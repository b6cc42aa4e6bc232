"""cells_cifar100.py for P-DARTS (the paper's Table 29).

E.3 has a weight decay of 5e-4 on CIFAR-100; as for the other spaces, the table's 3e-4 is taken:
--cfg-options optim_wrapper.optimizer.weight_decay=5e-4 is E.3.
"""
_base_ = ['cells_cifar100.py']
model = dict(backbone=dict(architecture='pdarts', drop_path=.3))
