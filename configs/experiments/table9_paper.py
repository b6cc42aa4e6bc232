"""The paper's Table 9: 20 rounds in 5 epochs against 2 rounds in 50, on DARTS. The latter is "Ours" of Table 6."""
_base_ = ['_base_/cifar_paper.py']
title = 'Table 9: many rounds in few epochs'
search = '../imtnas_cifar_darts.py'
rows = [
    dict(name='20 rounds, 5 epochs', search=search, options={
        'train_cfg.rounds': 20, 'train_cfg.max_epochs': 5}),
    dict(name='2 rounds, 50 epochs', search=search),
]
