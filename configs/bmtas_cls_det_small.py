"""bmtas_cls_det.py at a scale of minutes on two CPU cores, on the data of imtnas_cls_det_small.py."""
_base_ = ['imtnas_cls_det_small.py', '_base_/models/bmtas.py']
model = dict(
    _base_.bmtas,
    _delete_=True,
    search_space=_base_.model.search_space,
    tasks=_base_.model.tasks,
    resource_size=64,
    hypergradient='first_order')
train_cfg = dict(rounds=1, warmup_epochs=1)
