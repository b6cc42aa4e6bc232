"""The paper's Table 5 on NAS-Bench-201: encoder weights from a hypernetwork, and stored."""
_base_ = ['_base_/nasbench201_small.py']
title = 'Encoder weights from a hypernetwork and stored, on NAS-Bench-201'
ours = 'IMTNAS'
search = '../imtnas_cifar_nasbench201_small.py'
rows = [
    dict(name='IMTNAS', search=search),
    dict(name='IMTNAS, stored weights', search=search, options={
        'model.encoder_weights': dict(_delete_=True, type='StoredWeights')}),
]
