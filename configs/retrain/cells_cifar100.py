"""cells_cifar10.py on CIFAR-100: top-1 and top-5 (the paper's Tables 28 and 31: DARTS and PR-DARTS)."""
_base_ = [
    '../_base_/models/cells_cifar.py', '../_base_/datasets/cifar100.py', '../_base_/schedules/cells_600e.py',
    '../_base_/classification_runtime.py'
]
model = dict(head=dict(num_classes=100, topk=(1, 5)))
