"""600 epochs of SGD, .025 to 0 by a cosine, with a drop path that grows (the paper's Tables 28-31)."""
train_cfg = dict(type='imtnas_mm.RetrainLoop', max_epochs=600, val_interval=10)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=.025, momentum=.9, weight_decay=3e-4), clip_grad=dict(max_norm=5.))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True)]
custom_hooks = [dict(type='imtnas_mm.DropPathHook')]
auto_scale_lr = dict(base_batch_size=96)
