"""The NAS-Bench-201 cell of a BMTAS or MTL-NAS search, trained on CIFAR-10 and CIFAR-100 together: top-1, top-5.

Images, networks and schedule are those of nasbench201_cifar10.py and nasbench201_cifar100.py; an iteration has a
batch of each set, and its loss is the sum of theirs (model.loss_weights weights them).
    python tools/train.py configs/retrain/joint_nasbench201_cifar.py \
        --architecture work_dirs/bmtas_cifar_nasbench201/architecture.json
"""
_base_ = ['../_base_/datasets/cifar_search.py', '../_base_/joint_runtime.py']
# an operation whose edge leads nowhere is trained by nothing
find_unused_parameters = True


def classifier(num_classes, mean, std, topk):
    return dict(
        type='ClassificationTask',
        model=dict(
            type='ImageClassifier',
            data_preprocessor=dict(num_classes=num_classes, mean=mean, std=std, to_rgb=False),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(
                type='LinearClsHead',
                num_classes=num_classes,
                in_channels=64,  # 4 times the backbone's channels
                loss=dict(type='CrossEntropyLoss', loss_weight=1.),
                topk=topk)))


model = dict(
    type='JointModel',
    backbone=dict(architecture='work_dirs/bmtas_cifar_nasbench201/architecture.json', channels=16, cells=5),
    tasks=dict(
        c10=classifier(10, [125.31, 122.95, 113.87], [62.99, 62.09, 66.70], (1, )),
        c100=classifier(100, [129.30, 124.07, 112.43], [68.17, 65.39, 70.42], (1, 5))))
loader = dict(batch_size=256)
train_dataloader = dict(c10=loader, c100=loader)
val_dataloader = dict(_base_.test_dataloader, _delete_=True)
auto_scale_lr = dict(base_batch_size=dict(c10=256, c100=256))
train_cfg = dict(type='JointTrainLoop', max_epochs=200, val_interval=10)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=.1, momentum=.9, nesterov=True, weight_decay=5e-4))
param_scheduler = [
    dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True, convert_to_iter_based=True)
]
