"""mtlnas_cifar_darts.py at a scale of minutes on two CPU cores, on the data of imtnas_cifar_darts_small.py."""
_base_ = ['imtnas_cifar_darts_small.py', '_base_/models/mtlnas.py']
model = dict(
    _base_.mtlnas,
    _delete_=True,
    search_space=_base_.model.search_space,
    tasks=_base_.model.tasks)
train_cfg = dict(rounds=1, warmup_epochs=1)
