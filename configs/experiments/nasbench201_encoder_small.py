"""The paper's Table 5 on NAS-Bench-201: encoder weights from a hypernetwork, and stored."""
_base_ = ['_base_/nasbench201_small.py']
title = 'Encoder weights from a hypernetwork and stored, on NAS-Bench-201'
ours = 'IMTNAS'
search = '../imtnas_cifar_nasbench201_small.py'
columns = [
    dict(name='CIFAR-100 (%)', evaluation='c100', metric='cifar100'),
    dict(name='CIFAR-10 (%)', evaluation='c10', metric='cifar10'),
    dict(name='ImageNet16-120 (%)', evaluation='imagenet16', metric='imagenet16_120'),
    dict(name='search time (s)', metric='search_time'),
    dict(name='search memory (MB)', metric='search_memory', scale=1e-6),
]
rows = [
    dict(name='IMTNAS', search=search),
    dict(name='IMTNAS, stored weights', search=search, options={
        'model.encoder_weights': dict(_delete_=True, type='StoredWeights'),
        'optim_wrapper.encoder.optimizer.lr': .1}),
]
