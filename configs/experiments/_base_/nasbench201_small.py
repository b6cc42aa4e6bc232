"""Shared by the experiments on NAS-Bench-201, so that they share runs: ten seeds, 300 iterations, lookups.

The table has 15,625 cells, trained in full by the authors of the benchmark. It lies where the commands run, as other
data do. A run counts as degenerate if its cell has at most 55 % on CIFAR-10: the cell of identities alone, where DARTS
ends, has 54.30. 404 of the 15,625 cells are below.
"""
seeds = list(range(10, 20))  # results of lower seeds were seen while settings were chosen
search_options = {
    'train_cfg.order': ('c100', 'c10'),
    'train_cfg.max_epochs': 12,  # of 25 iterations: the history has 13 lookups
    'train_cfg.epoch_length': 25,
    'train_cfg.val_interval': 12,
    'default_hooks.checkpoint.interval': 4,
}
table = 'data/nasbench/nasbench201.csv.gz'
evaluations = dict(
    c100=dict(table=table, metrics=['cifar100']),
    c10=dict(table=table, metrics=['cifar10']),
    imagenet16=dict(table=table, metrics=['imagenet16_120']))
columns = [
    dict(name='CIFAR-100 (%)', evaluation='c100', metric='cifar100'),
    dict(name='CIFAR-10 (%)', evaluation='c10', metric='cifar10'),
    dict(name='ImageNet16-120 (%)', evaluation='imagenet16', metric='imagenet16_120'),
    dict(name='regret on CIFAR-100', evaluation='c100', metric='regret/cifar100'),
    dict(name='regret on CIFAR-10', evaluation='c10', metric='regret/cifar10'),
    dict(name='rank on CIFAR-100', evaluation='c100', metric='rank/cifar100'),
    dict(name='rank on CIFAR-10', evaluation='c10', metric='rank/cifar10'),
    dict(name='search time (s)', metric='search_time'),
]
statistics = ['CIFAR-100 (%)', 'CIFAR-10 (%)', 'ImageNet16-120 (%)']
curves = statistics
degenerate = dict(evaluation='c10', metric='cifar10', below=55.)
# of the benchmark's network, which has images of CIFAR-10; more convolutions make better cells
equal_cost = dict(columns=['CIFAR-100 (%)'], metric='derived_macs', shape=(32, 32), without='none')
