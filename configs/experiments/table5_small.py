"""The paper's Table 5 at the scale of minutes a run. The single tasks and HN are rows of table3_small.py."""
_base_ = ['_base_/cifar_small.py']
title = 'Table 5 (small): encoder weights from a hypernetwork (HN) and stored (NHN)'
columns = [
    dict(name='parameters', evaluation='c10', metric='parameters'),
    dict(name='search time (s)', metric='search_time'),
    dict(name='memory (MiB)', metric='search_memory', scale=2**-20),
    dict(name='tiny100 error (%)', evaluation='c100', metric='accuracy/top1', error=True),
    dict(name='cifar10 error (%)', evaluation='c10', metric='accuracy/top1', error=True),
]


def compared(space, search, alone):
    """The rows of a space: ``alone`` are the options of its own method."""
    return [
        dict(name=space, search=search, options={'model.loss_normalization': 'none', **alone},
             single_task=dict(c100=['c100'], c10=['c10'])),
        dict(name=f'NHN-{space} (ours)', search=search, options={
            'model.encoder_weights': dict(_delete_=True, type='StoredWeights')}),
        dict(name=f'HN-{space} (ours)', search=search),
    ]


first_order = {'model.hypergradient': 'first_order'}
rows = [
    *compared('Darts2nd', '../imtnas_cifar_darts_small.py', {
        'model.virtual_step': dict(momentum=True, weight_decay=True)}),
    *compared('Pdarts', '../imtnas_cifar_pdarts_small.py', first_order),
    *compared('Pcdarts', '../imtnas_cifar_pcdarts_small.py', first_order),
    *compared('Prdarts', '../imtnas_cifar_prdarts_small.py', first_order),
]
