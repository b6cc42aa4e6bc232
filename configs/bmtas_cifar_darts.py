"""BMTAS adapted to the DARTS space over CIFAR-10 and CIFAR-100: operations and branching (docs/multitask_baselines.md).

Data, optimisers and schedule are those of the search it is compared with.
"""
_base_ = ['imtnas_cifar_darts.py']
model = dict(
    _delete_=True,
    type='BMTAS',
    search_space={{_base_.model.search_space}},
    tasks={{_base_.model.tasks}},
    encoder_weights=dict(type='BranchedWeights'),
    branching=dict(temperature=(5., .1), hard=False, resource_weight=.05),
    resource_size=32,
    hypergradient='exact',
    loss_normalization='running_mean',
    architecture=dict(init_std=1e-3))
train_cfg = dict(rounds=1, warmup_epochs=5)  # task t on copy t until then
