"""Targets of multiply-accumulates on NAS-Bench-201: the accuracy of derived cells against their MACs.

A 3x3 convolution on an edge is 35.4 million MACs of the benchmark's network, and all else 7.8 million: the targets are
those of one to five convolutions. "No target" is nasbench201_methods_small.py's "IMTNAS, first order".
"""
_base_ = ['_base_/nasbench201_small.py']
title = 'Targets of MACs on NAS-Bench-201'
ours = 'No target'
search = '../imtnas_cifar_nasbench201_small.py'
image = (32, 32)  # of the benchmark; the searches see smaller ones
columns = [
    dict(name='MACs (M)', metric='derived_macs', shape=image, scale=1e-6),
    dict(name='parameters (k)', metric='derived_parameters', shape=image, scale=1e-3),
    dict(name='CIFAR-100 (%)', evaluation='c100', metric='cifar100'),
    dict(name='CIFAR-10 (%)', evaluation='c10', metric='cifar10'),
    dict(name='ImageNet16-120 (%)', evaluation='imagenet16', metric='imagenet16_120'),
    dict(name='search time (s)', metric='search_time'),
]
pareto = dict(cost='MACs (M)', accuracy=['CIFAR-100 (%)', 'CIFAR-10 (%)'])
rows = [
    *(dict(name=f'{target:g} M', search=search, options={
        'model.hypergradient': 'first_order', 'model.cost': dict(type='MACs', target=target * 1e6, shape=image)})
      for target in (43, 79, 114, 149, 185)),
    dict(name='No target', search=search, options={'model.hypergradient': 'first_order'}),
]
