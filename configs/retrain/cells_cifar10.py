"""A cell architecture trained on CIFAR-10 from scratch: top-1 (the paper's Tables 28 and 31: DARTS and PR-DARTS).

The tables' batch of 96 is taken; E.2-E.4 say 128 for PC-DARTS, P-DARTS and
PR-DARTS: --cfg-options train_dataloader.batch_size=128.
    python tools/train.py configs/retrain/cells_cifar10.py --architecture darts_v2
"""
_base_ = [
    '../_base_/models/cells_cifar.py', '../_base_/datasets/cifar10.py', '../_base_/schedules/cells_600e.py',
    '../_base_/classification_runtime.py'
]
