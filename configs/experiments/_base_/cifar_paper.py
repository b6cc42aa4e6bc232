"""Shared by the CIFAR experiments of the paper (4.4): ten seeds, and the retrainings of Tables 28 and 31.

Section 4.4.1 names the order C10, C100, and Table 7 says that the results of all tables are of C100, C10, which is
taken.
"""
seeds = list(range(10))
search_options = {'train_cfg.order': ('c100', 'c10')}
evaluations = dict(
    c100=dict(config='../retrain/cells_cifar100.py', shape=(32, 32)),
    c10=dict(config='../retrain/cells_cifar10.py', shape=(32, 32)))
columns = [
    dict(name='CIFAR-100 error (%)', evaluation='c100', metric='accuracy/top1', error=True),
    dict(name='CIFAR-10 error (%)', evaluation='c10', metric='accuracy/top1', error=True),
]
