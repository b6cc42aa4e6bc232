"""The paper's Table 24: 50 epochs, SGD .025 to .001 by cosine, A by Adam 3e-4, 2 rounds of C10, C100."""
train_cfg = dict(
    type='InterleavedSearchLoop',
    rounds=2,
    order=('c10', 'c100'),
    max_epochs=50,
    warmup_epochs=0,
    split=dict(ratio=.5, seed=0),
    val_interval=5)
sgd = dict(
    optimizer=dict(type='SGD', lr=.025, momentum=.9, weight_decay=3e-4), clip_grad=dict(max_norm=5., norm_type=2))
optim_wrapper = dict(
    constructor='SearchOptimWrapperConstructor',
    encoder=sgd,
    head=sgd,
    architecture=dict(optimizer=dict(type='Adam', lr=3e-4, betas=(.5, .999), weight_decay=1e-3)))
cosine = dict(type='CosineAnnealingLR', eta_min=.001, by_epoch=True, convert_to_iter_based=True)
param_scheduler = dict(encoder=[cosine], head=[cosine])  # A's rate is constant
