"""CIFAR-10 and CIFAR-100 for a search: data/cifar10 and data/cifar100 in their official layouts, halved by the loop.

The search network is validated on D^val, the half on which A learns; the test split is for tools/test.py.
"""
train_pipeline = [
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='PackInputs')]
c10 = dict(type='imtnas_mm.CIFAR10', data_root='data/cifar10', check_md5=True)
c100 = dict(type='imtnas_mm.CIFAR100', data_root='data/cifar100', check_md5=True)
train_loader = dict(
    batch_size=64, num_workers=2, persistent_workers=True,
    collate_fn=dict(type='default_collate'))  # workers hand over one tensor, not 64
test_loader = dict(batch_size=100, num_workers=2, sampler=dict(type='DefaultSampler', shuffle=False))
train_dataloader = dict(
    c10=dict(dataset=dict(split='train', pipeline=train_pipeline, **c10), **train_loader),
    c100=dict(dataset=dict(split='train', pipeline=train_pipeline, **c100), **train_loader))
val_dataloader = dict(
    c10=dict(dataset=dict(type='imtnas_mm.ValidationPart', pipeline=test_pipeline), **test_loader),
    c100=dict(dataset=dict(type='imtnas_mm.ValidationPart', pipeline=test_pipeline), **test_loader))
val_evaluator = dict(c10=dict(type='Accuracy', topk=(1, )), c100=dict(type='Accuracy', topk=(1, 5)))
test_dataloader = dict(
    c10=dict(dataset=dict(split='test', pipeline=test_pipeline, **c10), **test_loader),
    c100=dict(dataset=dict(split='test', pipeline=test_pipeline, **c100), **test_loader))
test_evaluator = val_evaluator
auto_scale_lr = dict(base_batch_size=dict(c10=64, c100=64))
