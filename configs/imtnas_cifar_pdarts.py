"""IMTNAS on the P-DARTS space over CIFAR-10 and CIFAR-100, all three phases by one command (paper E.3, Table 25).

Each phase is a search of its own in ``phase1`` to ``phase3`` of the work dir: 5, 11 and 17 cells over 8, 5 and 3
operations per edge. ``--resume`` continues the phase that was stopped. Test or derive with the config and a checkpoint
of a phase's folder.

E.3 and Table 25 differ: Table 25 is taken (batch 64, A's lr 3e-4, SGD for the weights, 50 epochs, here of each phase),
but for A's 10 frozen epochs, which E.3 alone gives. That 50 are the epochs of each phase follows from 4.4.1: searches
are longer than in the papers they are from, and P-DARTS's paper has 25 epochs per phase, batch 96, A's lr 6e-4:
    --cfg-options train_cfg.max_epochs=25 train_dataloader.c10.batch_size=96 train_dataloader.c100.batch_size=96
        optim_wrapper.architecture.optimizer.lr=6e-4
17 epochs per phase are about 50 in all.
"""
_base_ = ['imtnas_cifar_darts.py']
model = dict(search_space=dict(type='PDARTSSupernet', skip_limit=2))
train_cfg = dict(warmup_epochs=10)


def phase(layers, c10, c100, keep):
    """``keep``: number of operations per edge in the next phase; c10, c100: the dropout on identities."""
    tasks = dict(c10=dict(backbone=dict(skip_dropout=c10)), c100=dict(backbone=dict(skip_dropout=c100)))
    return dict(keep=keep, config=dict(model=dict(search_space=dict(layers=layers), tasks=tasks)))


phases = [
    phase(layers=5, c10=0., c100=.1, keep=5),
    phase(layers=11, c10=.4, c100=.2, keep=3),
    phase(layers=17, c10=.7, c100=.3, keep=None),
]
