"""BMTAS adapted to the MBConv space over ImageNet and COCO (docs/multitask_baselines.md), as bmtas_cifar_darts.py."""
_base_ = ['imtnas_cls_det.py']
model = dict(
    _delete_=True,
    type='BMTAS',
    search_space={{_base_.model.search_space}},
    tasks={{_base_.model.tasks}},
    encoder_weights=dict(type='BranchedWeights'),
    branching=dict(temperature=(5., .1), hard=False, resource_weight=.05),
    resource_size=224,
    hypergradient='exact',
    loss_normalization='running_mean',
    architecture=dict(init_std=1e-3))
train_cfg = dict(rounds=1, warmup_epochs=5)  # task t on copy t until then
