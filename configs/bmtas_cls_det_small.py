"""bmtas_cls_det.py at a scale of minutes on two CPU cores, on the data of imtnas_cls_det_small.py."""
_base_ = ['imtnas_cls_det_small.py']
model = dict(
    _delete_=True,
    type='BMTAS',
    search_space={{_base_.model.search_space}},
    tasks={{_base_.model.tasks}},
    encoder_weights=dict(type='BranchedWeights'),
    branching=dict(temperature=(5., .1), hard=False, resource_weight=.05),
    resource_size=64,
    hypergradient='first_order',
    loss_normalization='running_mean',
    architecture=dict(init_std=1e-3))
train_cfg = dict(rounds=1, warmup_epochs=1)
