"""imtnas_cifar_pdarts.py at the scale of imtnas_cifar_darts_small.py, with phases of 3, 4 and 6 cells."""
_base_ = ['imtnas_cifar_darts_small.py']
model = dict(search_space=dict(type='PDARTSSupernet', skip_limit=2))
train_cfg = dict(max_epochs=2)
cosine = dict(type='CosineAnnealingLR', eta_min=.001, by_epoch=True, convert_to_iter_based=True)
param_scheduler = dict(encoder=[cosine], head=[cosine])


def phase(layers, c10, c100, keep):
    tasks = dict(c10=dict(backbone=dict(skip_dropout=c10)), c100=dict(backbone=dict(skip_dropout=c100)))
    return dict(keep=keep, config=dict(model=dict(search_space=dict(layers=layers), tasks=tasks)))


phases = [
    phase(layers=3, c10=0., c100=.1, keep=5),
    phase(layers=4, c10=.4, c100=.2, keep=3),
    phase(layers=6, c10=.7, c100=.3, keep=None),
]
