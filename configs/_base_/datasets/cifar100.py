"""CIFAR-100 in data/cifar100/cifar-100-python, as cifar10.py has CIFAR-10."""
_base_ = ['cifar10.py']
data_preprocessor = dict(num_classes=100, mean=[129.30, 124.07, 112.43], std=[68.17, 65.39, 70.42])
train_pipeline = [
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=.5, direction='horizontal'),
    dict(type='Cutout', shape=16, pad_val=(129, 124, 112), prob=1.),
    dict(type='PackInputs'),
]
dataset = dict(type='imtnas_mm.CIFAR100', data_root='data/cifar100')
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dataset)
val_evaluator = dict(topk=(1, 5))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
