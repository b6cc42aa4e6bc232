"""The paper's Table 4: MTL-SWS on DARTS over the weight of CIFAR-10's training loss. 1 is Table 3's row."""
_base_ = ['_base_/cifar_paper.py']
title = 'Table 4: MTL-SWS-Darts2nd over the weight of CIFAR-10'
columns = [
    dict(name='CIFAR-100 error (%)', evaluation='c100', metric='accuracy/top1', error=True),
    dict(name='CIFAR-10 error (%)', evaluation='c10', metric='accuracy/top1', error=True),
    dict(name='overall error', sum={'CIFAR-100 error (%)': 1, 'CIFAR-10 error (%)': 6}),
]
rows = [
    dict(name=f'{weight:g}', search='../imtnas_cifar_darts.py', options={
        'model.type': 'MTLSWS', 'model.sharing_weight': 100., 'model.train_weights': dict(c100=1., c10=weight)})
    for weight in (.01, .05, .1, .5, .7, 1., 1.5, 2.)
]
