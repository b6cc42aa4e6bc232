"""The paper's Table 5: a hypernetwork (HN) or stored weights (NHN), against each space's own method."""
_base_ = ['_base_/cifar_paper.py']
title = 'Table 5: encoder weights from a hypernetwork (HN) and stored (NHN)'
columns = [
    dict(name='parameters (M)', evaluation='c10', metric='parameters', scale=1e-6),
    dict(name='search time (days)', metric='search_time', scale=1 / 86400),
    dict(name='memory (MiB)', metric='search_memory', scale=2**-20),
    dict(name='CIFAR-100 error (%)', evaluation='c100', metric='accuracy/top1', error=True),
    dict(name='CIFAR-10 error (%)', evaluation='c10', metric='accuracy/top1', error=True),
]


def compared(space, search, retrained, alone):
    """The rows of a space: ``alone`` are the options of its own method."""
    evaluations = dict(
        c100=dict(config=f'../retrain/cells_{retrained}cifar100.py', shape=(32, 32)),
        c10=dict(config=f'../retrain/cells_{retrained}cifar10.py', shape=(32, 32)))
    stored = {'model.encoder_weights': dict(_delete_=True, type='StoredWeights')}
    return [
        dict(name=space, search=search, options={'model.loss_normalization': 'none', **alone},
             single_task=dict(c100=['c100'], c10=['c10']), evaluations=evaluations),
        dict(name=f'NHN-{space} (ours)', search=search, options=stored, evaluations=evaluations),
        dict(name=f'HN-{space} (ours)', search=search, evaluations=evaluations),
    ]


first_order = {'model.hypergradient': 'first_order'}
rows = [
    *compared('Darts2nd', '../imtnas_cifar_darts.py', '', {
        'model.virtual_step': dict(momentum=True, weight_decay=True)}),
    *compared('Pdarts', '../imtnas_cifar_pdarts.py', 'pdarts_', first_order),
    *compared('Pcdarts', '../imtnas_cifar_pcdarts.py', 'pcdarts_', first_order),
    *compared('Prdarts', '../imtnas_cifar_prdarts.py', '', first_order),
]
