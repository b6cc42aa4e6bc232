"""BMTAS adapted to the MBConv space over ImageNet and COCO (docs/multitask_baselines.md), as bmtas_cifar_darts.py."""
_base_ = ['imtnas_cls_det.py', '_base_/models/bmtas.py']
model = dict(
    _base_.bmtas,
    _delete_=True,
    search_space=_base_.model.search_space,
    tasks=_base_.model.tasks,
    resource_size=224)
train_cfg = dict(rounds=1, warmup_epochs=5)  # task t on copy t until then
