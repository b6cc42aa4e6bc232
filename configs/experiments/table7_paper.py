"""The paper's Table 7: the order of the tasks, on DARTS. Order 1 is "Ours" of table6_paper.py."""
_base_ = ['_base_/cifar_paper.py']
title = 'Table 7: order of the tasks'
ours = 'Order 1'
search = '../imtnas_cifar_darts.py'
rows = [
    dict(name='Order 1', search=search),  # c100, c10, c100, c10
    dict(name='Order 2', search=search, options={'train_cfg.order': ('c10', 'c100')}),
]
