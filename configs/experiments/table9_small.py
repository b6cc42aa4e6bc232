"""The paper's Table 9 at a scale of minutes per run: as many stages in both rows."""
_base_ = ['_base_/cifar_small.py']
title = 'Table 9 (small): many rounds in few iterations'
search = '../imtnas_cifar_pcdarts_small.py'
rows = [
    dict(name='8 rounds, 10 iterations', search=search, options={'train_cfg.rounds': 8, 'train_cfg.epoch_length': 5}),
    dict(name='2 rounds, 40 iterations', search=search),
]
