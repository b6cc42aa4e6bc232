"""The paper's Table 16 at the scale of minutes a run."""
_base_ = ['_base_/cifar_small.py']
title = 'Table 16 (small): additional cells'
ours = 'IMTNAS-Darts2nd (ours)'
columns = [
    dict(name='tiny100 error (%)', evaluation='c100', metric='accuracy/top1', error=True),
    dict(name='cifar10 error (%)', evaluation='c10', metric='accuracy/top1', error=True),
    dict(name='parameters', evaluation='c10', metric='parameters'),
    dict(name='search time (s)', metric='search_time'),
]
search = '../imtnas_cifar_darts_small.py'
rows = [
    dict(name='DARTS-1st', search=search, options={
        'model.loss_normalization': 'none', 'model.hypergradient': 'first_order'},
        single_task=dict(c100=['c100'], c10=['c10'])),
    *(dict(name=f'{name} (published)', architecture=name)
      for name in ('darts_v1', 'darts_v2', 'pdarts', 'pc_darts_cifar', 'pr_darts')),
    dict(name='IMTNAS-Darts2nd (ours)', search=search),
]
