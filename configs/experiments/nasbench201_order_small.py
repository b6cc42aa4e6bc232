"""The paper's Table 7, the order of the tasks, on NAS-Bench-201. Order 1 is nasbench201_methods_small.py's IMTNAS."""
_base_ = ['_base_/nasbench201_small.py']
title = 'Order of the tasks on NAS-Bench-201'
ours = 'Order 1'
search = '../imtnas_cifar_nasbench201_small.py'
rows = [
    dict(name='Order 1', search=search),  # c100, c10, c100, c10
    dict(name='Order 2', search=search, options={'train_cfg.order': ('c10', 'c100')}),
]
