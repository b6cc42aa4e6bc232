"""mtlnas_cifar_nasbench201.py at the scale of imtnas_cifar_nasbench201_small.py."""
_base_ = ['imtnas_cifar_nasbench201_small.py', '_base_/models/mtlnas.py']
model = dict(
    _base_.mtlnas,
    _delete_=True,
    search_space=_base_.model.search_space,
    tasks=_base_.model.tasks)
train_cfg = dict(rounds=1, warmup_epochs=1)
optim_wrapper = dict(encoder=dict(optimizer=dict(lr=.1)))  # of stored weights
