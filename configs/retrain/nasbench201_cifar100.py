"""nasbench201_cifar10.py on CIFAR-100: top-1 and top-5."""
_base_ = [
    '../_base_/models/nasbench201_cifar.py', '../_base_/datasets/cifar100.py',
    '../_base_/schedules/nasbench201_200e.py', '../_base_/classification_runtime.py'
]
# an operation whose edge leads nowhere is trained by nothing
find_unused_parameters = True
model = dict(head=dict(num_classes=100, topk=(1, 5)))
train_pipeline = [
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=.5, direction='horizontal'),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=256, dataset=dict(pipeline=train_pipeline))
