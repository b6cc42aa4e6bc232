"""The paper's Table 4 at the scale of minutes a run, on PC-DARTS."""
_base_ = ['_base_/cifar_small.py']
title = "Table 4 (small): MTL-SWS over the weight of cifar10's loss"
columns = [
    dict(name='tiny100 error (%)', evaluation='c100', metric='accuracy/top1', error=True),
    dict(name='cifar10 error (%)', evaluation='c10', metric='accuracy/top1', error=True),
    dict(name='overall error', sum={'tiny100 error (%)': 1, 'cifar10 error (%)': 6}),
]
rows = [
    dict(name=f'{weight:g}', search='../imtnas_cifar_pcdarts_small.py', options={
        'model.type': 'MTLSWS', 'model.sharing_weight': 100., 'model.train_weights': dict(c100=1., c10=weight)})
    for weight in (.01, .05, .1, .5, .7, 1., 1.5, 2.)
]
