"""mtlnas_cls_det.py at a scale of minutes on two CPU cores, on the data of imtnas_cls_det_small.py."""
_base_ = ['imtnas_cls_det_small.py', '_base_/models/mtlnas.py']
model = dict(
    _base_.mtlnas,
    _delete_=True,
    search_space=_base_.model.search_space,
    tasks=_base_.model.tasks,
    hypergradient='first_order')
train_cfg = dict(rounds=1, warmup_epochs=1)
