"""The paper's Table 16: more networks of cells on CIFAR-100 and CIFAR-10.

The paper took all rows but DARTS-1st from other papers, of methods that aren't
here. In their place stand the architectures that the authors of DARTS, P-DARTS,
PC-DARTS and PR-DARTS published, retrained by the same recipe.
"""
_base_ = ['_base_/cifar_paper.py']
title = 'Table 16: additional cells on CIFAR-100 and CIFAR-10'
ours = 'IMTNAS-Darts2nd (ours)'
columns = [
    dict(name='CIFAR-100 error (%)', evaluation='c100', metric='accuracy/top1', error=True),
    dict(name='CIFAR-10 error (%)', evaluation='c10', metric='accuracy/top1', error=True),
    dict(name='parameters (M)', evaluation='c10', metric='parameters', scale=1e-6),
    dict(name='search time (days)', metric='search_time', scale=1 / 86400),
]
search = '../imtnas_cifar_darts.py'
rows = [
    dict(name='DARTS-1st', search=search, options={
        'model.loss_normalization': 'none', 'model.hypergradient': 'first_order'},
        single_task=dict(c100=['c100'], c10=['c10'])),
    *(dict(name=f'{name} (published)', architecture=name)
      for name in ('darts_v1', 'darts_v2', 'pdarts', 'pc_darts_cifar', 'pr_darts')),
    dict(name='IMTNAS-Darts2nd (ours)', search=search),
]
