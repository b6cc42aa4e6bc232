"""The paper's Table 6: kinds of knowledge transfer, on DARTS."""
_base_ = ['_base_/cifar_paper.py']
title = 'Table 6: kinds of knowledge transfer'
ours = 'Ours'
search = '../imtnas_cifar_darts.py'
rows = [
    dict(name='Ours', search=search),
    dict(name='L2-Weights', search=search, options={'model.transfer': dict(_delete_=True, type='L2Weights')}),
    dict(name='L2-Embedding', search=search, options={
        'model.transfer': dict(_delete_=True, type='L2Embedding', num_examples=20, image_size=32)}),
    dict(name='Example-Similarity', search=search, options={
        'model.transfer': dict(_delete_=True, type='ExampleSimilarity', num_examples=20, image_size=32)}),
]
