"""MTL-NAS adapted to NAS-Bench-201 over CIFAR-10 and CIFAR-100: operations and fusion (docs/multitask_baselines.md).

Data, optimisers and schedule are those of the search it is compared with.
"""
_base_ = ['imtnas_cifar_nasbench201.py', '_base_/models/mtlnas.py']
model = dict(
    _base_.mtlnas,
    _delete_=True,
    search_space=_base_.model.search_space,
    tasks=_base_.model.tasks)
train_cfg = dict(rounds=1, warmup_epochs=5)  # each network learns its own task until then
