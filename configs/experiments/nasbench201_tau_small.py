"""The paper's Table 10, the threshold tau, on NAS-Bench-201, in standard deviations of "same".

The default statistic measures in units of tau, so that it can't matter.
"""
_base_ = ['_base_/nasbench201_small.py']
title = 'Threshold of the transfer on NAS-Bench-201'
ours = '5'
figure = dict(x='threshold', left=['CIFAR-100 (%)'], right=['CIFAR-10 (%)'], log=True)
rows = [
    dict(name=f'{tau:g}', x=tau, search='../imtnas_cifar_nasbench201_small.py',
         options={'model.transfer.statistic': 'studentized', 'model.transfer.threshold': tau})
    for tau in (.1, 1., 5., 25., 100.)
]
