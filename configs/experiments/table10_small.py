"""The paper's Table 10 at the scale of minutes a run: the small searches' .5 in the place of 5."""
_base_ = ['_base_/cifar_small.py']
title = 'Table 10 (small): threshold tau'
rows = [
    dict(name=f'{tau:g}', search='../imtnas_cifar_pcdarts_small.py', options={'model.transfer.threshold': tau})
    for tau in (.01, .1, .5, 2.5, 10.)
]
