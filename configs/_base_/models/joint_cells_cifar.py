"""Classifiers of CIFAR-10 and CIFAR-100 on the backbones of a BMTAS or MTL-NAS search; cells_cifar.py has one."""
_base_ = ['imtnas_cells.py']


def classifier(task, topk):
    data_preprocessor = _base_.model.tasks[task].model.data_preprocessor
    return dict(
        type='ClassificationTask',
        model=dict(
            type='ImageClassifier',
            data_preprocessor=data_preprocessor,
            head=dict(
                type='imtnas_mm.CellHead',
                num_classes=data_preprocessor.num_classes,
                in_channels=576,  # 16 times the backbone's channels
                auxiliary=dict(stride=3),
                auxiliary_weight=.4,
                topk=topk)))


model = dict(
    _delete_=True,
    type='JointModel',
    backbone=dict(
        architecture='work_dirs/bmtas_cifar_darts/architecture.json',
        channels=36,
        layers=20,
        auxiliary=True,
        drop_path=.2),
    tasks=dict(c10=classifier('c10', (1, )), c100=classifier('c100', (1, 5))))
