"""The paper's Table 10: the threshold tau, on DARTS. The statistic doesn't reach 100: every pair is then alike."""
_base_ = ['_base_/cifar_paper.py']
title = 'Table 10: threshold tau'
rows = [
    dict(name=f'{tau:g}', search='../imtnas_cifar_darts.py', options={'model.transfer.threshold': tau})
    for tau in (.1, 1., 5., 25., 100.)
]
