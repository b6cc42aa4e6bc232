"""The paper's Table 7, the order of the tasks, at the scale of minutes a run. Order 1 is table6_small.py's "Ours"."""
_base_ = ['_base_/cifar_small.py']
title = 'Table 7 (small): order of the tasks'
ours = 'Order 1'
search = '../imtnas_cifar_pcdarts_small.py'
rows = [
    dict(name='Order 1', search=search),  # c100, c10, c100, c10
    dict(name='Order 2', search=search, options={'train_cfg.order': ('c10', 'c100')}),
]
