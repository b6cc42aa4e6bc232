"""IMTNAS on the DARTS space over CIFAR-10 and CIFAR-100 (paper 4.4, E.1, Table 24).

DARTS by itself, E.1's "regular DARTS", has 150 epochs in table3_paper.py.
E.1 has "the learning rate scheduled with cosine" after A's optimiser; taken as that of the weights, as in DARTS. A
config that inherits from this one gives it to A by
    param_scheduler = dict(architecture=[dict(type='CosineAnnealingLR', by_epoch=True)])
"""
_base_ = [
    '_base_/search_runtime.py', '_base_/models/imtnas_cells.py', '_base_/datasets/cifar_search.py',
    '_base_/schedules/imtnas_cifar_50e.py'
]
model = dict(recompute='views')  # the 400 images of a transfer take 101 GiB otherwise, see docs/hypergradient.md
