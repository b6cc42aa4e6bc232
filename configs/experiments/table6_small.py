"""The paper's Table 6, kinds of transfer, and Table 8's C = 0, at the scale of minutes a run."""
_base_ = ['_base_/cifar_small.py']
title = 'Table 6 (small): kinds of knowledge transfer'
ours = 'Ours'
search = '../imtnas_cifar_pcdarts_small.py'
rows = [
    dict(name='Ours', search=search),
    dict(name='L2-Weights', search=search, options={'model.transfer': dict(_delete_=True, type='L2Weights')}),
    dict(name='L2-Embedding', search=search, options={
        'model.transfer': dict(_delete_=True, type='L2Embedding', num_examples=6, image_size=32)}),
    dict(name='Example-Similarity', search=search, options={
        'model.transfer': dict(_delete_=True, type='ExampleSimilarity', num_examples=6, image_size=32)}),
    dict(name='No transfer', search=search, options={'model.transfer': None}),
]
