"""bmtas_cifar_darts.py at a scale of minutes on two CPU cores, on the data of imtnas_cifar_darts_small.py."""
_base_ = ['imtnas_cifar_darts_small.py', '_base_/models/bmtas.py']
model = dict(
    _base_.bmtas,
    _delete_=True,
    search_space=_base_.model.search_space,
    tasks=_base_.model.tasks,
    resource_size=32)
train_cfg = dict(rounds=1, warmup_epochs=1)
