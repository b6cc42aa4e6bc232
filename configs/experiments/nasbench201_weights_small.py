"""The paper's Table 4, MTL-SWS over a loss's weight, on NAS-Bench-201. 1 is nasbench201_methods_small.py's MTL-SWS."""
_base_ = ['_base_/nasbench201_small.py']
title = "MTL-SWS over the weight of CIFAR-10's loss on NAS-Bench-201"
ours = '1'
figure = dict(x="weight of CIFAR-10's loss", left=['CIFAR-100 (%)'], right=['CIFAR-10 (%)'], log=True)
rows = [
    dict(name=f'{weight:g}', x=weight, search='../imtnas_cifar_nasbench201_small.py', options={
        'model.type': 'MTLSWS', 'model.transfer': None, 'model.sharing_weight': 100.,
        'optim_wrapper.encoder.optimizer.lr': .1,  # of stored weights
        **({} if weight == 1 else {'model.train_weights': dict(c100=1., c10=weight)})})
    for weight in (.01, .05, .1, .5, .7, 1., 1.5, 2.)
]
