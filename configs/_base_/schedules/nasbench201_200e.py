"""NAS-Bench-201's recipe: 200 epochs of Nesterov's SGD, .1 to 0 by a cosine (Dong and Yang, 2020, Tab. 1)."""
train_cfg = dict(type='imtnas_mm.RetrainLoop', max_epochs=200, val_interval=10)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=.1, momentum=.9, nesterov=True, weight_decay=5e-4))
param_scheduler = [
    dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True, convert_to_iter_based=True)
]
auto_scale_lr = dict(base_batch_size=256)
