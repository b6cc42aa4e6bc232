"""The cells of a BMTAS or MTL-NAS search, trained on CIFAR-10 and CIFAR-100 together: top-1, and top-5.

Images, networks and schedule are those of cells_cifar10.py and cells_cifar100.py; an iteration has a batch of each
set, and its loss is the sum of theirs (model.loss_weights weights them).
    python tools/train.py configs/retrain/joint_cells_cifar.py \
        --architecture work_dirs/bmtas_cifar_darts/architecture.json
"""
_base_ = [
    '../_base_/models/joint_cells_cifar.py', '../_base_/datasets/cifar_search.py', '../_base_/joint_runtime.py'
]


def train_pipeline(mean):
    return [
        dict(type='RandomCrop', crop_size=32, padding=4),
        dict(type='RandomFlip', prob=.5, direction='horizontal'),
        dict(type='Cutout', shape=16, pad_val=mean, prob=1.),
        dict(type='PackInputs'),
    ]


loader = dict(batch_size=96)
train_dataloader = dict(
    c10=dict(dataset=dict(pipeline=train_pipeline((125, 123, 114))), **loader),
    c100=dict(dataset=dict(pipeline=train_pipeline((129, 124, 112))), **loader))
test_dataloader = dict(c10=loader, c100=loader)
val_dataloader = {task: dict(_base_.test_dataloader[task], **loader, _delete_=True) for task in ('c10', 'c100')}
auto_scale_lr = dict(base_batch_size=dict(c10=96, c100=96))
train_cfg = dict(type='JointTrainLoop', max_epochs=600, val_interval=10)
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=.025, momentum=.9, weight_decay=3e-4), clip_grad=dict(max_norm=5.))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True)]
custom_hooks = [dict(type='DropPathHook')]
