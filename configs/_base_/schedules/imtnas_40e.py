"""The paper's schedule (4.3.1): 40 epochs, SGD .02 with cosine decay, A by Adam 5e-4, 3 rounds of cls, det."""
train_cfg = dict(
    type='InterleavedSearchLoop',
    rounds=3,
    order=('cls', 'det'),
    max_epochs=40,
    warmup_epochs=0,
    split=dict(ratio=.5, seed=0),
    val_interval=5)
# momentum and weight decay of the weights are not given for this experiment; these are those of the paper's Table 24
optim_wrapper = dict(
    constructor='SearchOptimWrapperConstructor',
    encoder=dict(
        optimizer=dict(type='SGD', lr=.02, momentum=.9, weight_decay=3e-4), clip_grad=dict(max_norm=5., norm_type=2)),
    head=dict(
        optimizer=dict(type='SGD', lr=.02, momentum=.9, weight_decay=3e-4), clip_grad=dict(max_norm=5., norm_type=2)),
    architecture=dict(optimizer=dict(type='Adam', lr=5e-4, betas=(.5, .999), weight_decay=1e-3)))
param_scheduler = dict(
    encoder=[dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True, convert_to_iter_based=True)],
    head=[dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True, convert_to_iter_based=True)])
