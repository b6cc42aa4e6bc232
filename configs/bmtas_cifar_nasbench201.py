"""BMTAS adapted to NAS-Bench-201 over CIFAR-10 and CIFAR-100: operations and branching (docs/multitask_baselines.md).

Data, optimisers and schedule are those of the search it is compared with.
"""
_base_ = ['imtnas_cifar_nasbench201.py', '_base_/models/bmtas.py']
model = dict(
    _base_.bmtas,
    _delete_=True,
    search_space=_base_.model.search_space,
    tasks=_base_.model.tasks,
    resource_size=32)
train_cfg = dict(rounds=1, warmup_epochs=5)  # task t on copy t until then
