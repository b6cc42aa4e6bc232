"""The paper's Table 6, kinds of knowledge transfer, on NAS-Bench-201."""
_base_ = ['_base_/nasbench201_small.py']
title = 'Kinds of knowledge transfer on NAS-Bench-201'
ours = 'IMTNAS'
search = '../imtnas_cifar_nasbench201_small.py'
images = dict(num_examples=8, image_size=16)
rows = [
    dict(name='IMTNAS', search=search),
    dict(name='L2-Weights', search=search, options={'model.transfer': dict(_delete_=True, type='L2Weights')}),
    dict(name='L2-Embedding', search=search, options={
        'model.transfer': dict(_delete_=True, type='L2Embedding', **images)}),
    dict(name='Example-Similarity', search=search, options={
        'model.transfer': dict(_delete_=True, type='ExampleSimilarity', **images)}),
    dict(name='No transfer', search=search, options={'model.transfer': None}),
]
